/* SPDX-License-Identifier: MIT
 *
 * rnn_standardise_s16_s8.h -- sat8((v * multiplier + offset) >> shift) on an AVR. Contract: the
 * portable file of this name. */
#ifndef RNN_STANDARDISE_S16_S8_H
#define RNN_STANDARDISE_S16_S8_H

#include "rnn_mul_s16_s16.h"
#include "rnn_sat_s32_s8.h"
#include "rnn_shift_avr.h"

RNN_INLINE int8_t rnn_standardise_s16_s8(int16_t v, int16_t multiplier, int32_t offset,
                                         uint8_t shift, uint32_t *count)
{
    return rnn_sat_s32_s8(rnn_asr_s32(rnn_mul_s16_s16(v, multiplier) + offset, shift), count);
}

#endif
