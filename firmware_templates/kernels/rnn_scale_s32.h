/* SPDX-License-Identifier: MIT
 *
 * rnn_scale_s32.h -- v * 2^shift; not v << shift, which is undefined for negative v.
 *
 * Range     shift 0 .. 30, a constant at every call.
 * Overflow  the caller's proof: |v| * 2^shift < 2^31 (docs/arithmetic.md, "No overflow"). */
#ifndef RNN_SCALE_S32_H
#define RNN_SCALE_S32_H

#include "rnn_flash.h"

RNN_INLINE int32_t rnn_scale_s32(int32_t v, uint8_t shift)
{
    return v * (int32_t)((int32_t)1 << shift);
}

#endif
