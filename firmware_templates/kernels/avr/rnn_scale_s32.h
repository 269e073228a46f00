/* SPDX-License-Identifier: MIT
 *
 * rnn_scale_s32.h -- v * 2^shift on an AVR. Contract: the portable file of this name. */
#ifndef RNN_SCALE_S32_H
#define RNN_SCALE_S32_H

#include "rnn_shift_avr.h"

RNN_INLINE int32_t rnn_scale_s32(int32_t v, uint8_t shift)
{
    return rnn_lsl_s32(v, shift);
}

#endif
