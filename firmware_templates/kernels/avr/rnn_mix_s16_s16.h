/* SPDX-License-Identifier: MIT
 *
 * rnn_mix_s16_s16.h -- (p a + q b + 2^12) >> 13 on an AVR. Contract: the portable file of this
 * name. */
#ifndef RNN_MIX_S16_S16_H
#define RNN_MIX_S16_S16_H

#include "rnn_mul_s16_s16.h"
#include "rnn_rshift_s32.h"

RNN_INLINE int32_t rnn_mix_s16_s16(int16_t p, int16_t a, int16_t q, int16_t b)
{
    return rnn_rshift_s32(rnn_mul_s16_s16(p, a) + rnn_mul_s16_s16(q, b), 13);
}

#endif
