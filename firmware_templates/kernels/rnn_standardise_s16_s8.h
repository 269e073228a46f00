/* SPDX-License-Identifier: MIT
 *
 * rnn_standardise_s16_s8.h -- x = sat8((v * multiplier + offset) >> shift), rounding down: the
 * rounding constant is in the offset.
 *
 * Range     v and multiplier any int16, |offset| < 2^30, shift 0 .. 30 (a constant at every call).
 * Overflow  none: |v * multiplier| <= 2^30, so the sum stays below 2^31.
 * Returns   x; a clamp adds one to *count. */
#ifndef RNN_STANDARDISE_S16_S8_H
#define RNN_STANDARDISE_S16_S8_H

#include "rnn_sat_s32_s8.h"

RNN_INLINE int8_t rnn_standardise_s16_s8(int16_t v, int16_t multiplier, int32_t offset,
                                         uint8_t shift, uint32_t *count)
{
    return rnn_sat_s32_s8(((int32_t)v * multiplier + offset) >> shift, count);
}

#endif
