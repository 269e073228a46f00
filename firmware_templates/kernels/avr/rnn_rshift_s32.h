/* SPDX-License-Identifier: MIT
 *
 * rnn_rshift_s32.h -- v / 2^shift, rounding half up, on an AVR. Contract: the portable file of this
 * name. */
#ifndef RNN_RSHIFT_S32_H
#define RNN_RSHIFT_S32_H

#include "rnn_shift_avr.h"

RNN_INLINE int32_t rnn_rshift_s32(int32_t v, uint8_t shift)
{
    if (shift == 0)
        return v;
    if (shift == 1)
        return rnn_asr_bits_s32(v, 1) + (v & 1);
    return rnn_asr_bits_s32(rnn_asr_s32(v, (uint8_t)(shift - 1u)) + 1, 1);
}

#endif
