/* SPDX-License-Identifier: MIT
 *
 * rnn_activation.h -- the index of a row's pre-activation on an AVR. Contract: the portable file of
 * this name.
 *
 * Nothing below the bias's alignment k and the table's shift s matters: (a + b 2^k) >> s is
 * ((a >> m) + b 2^(k - m)) >> (s - m) for m <= k, s, and 16 bits hold that where it is proved
 * (RNN_PRE_BITS). */
#ifndef RNN_ACTIVATION_H
#define RNN_ACTIVATION_H

#include "rnn_index_s32_u8.h"
#include "rnn_products.h"

RNN_INLINE uint8_t rnn_activation_index(const int32_t *acc, uint16_t r, uint8_t shift)
{
    int8_t level = (int8_t)shift;   /* signed: an alignment of 0 is no warning */
    level = level < RNN_B_ALIGN ? level : RNN_B_ALIGN;
    if (level < RNN_COMMON_ALIGN || RNN_PRE_BITS > level + 16)
        return rnn_index_s32_u8(rnn_preactivation(acc, r), shift);
    int16_t a = (int16_t)rnn_asr_s32(acc[r], (uint8_t)(level - RNN_COMMON_ALIGN));
    a = (int16_t)(a + RNN_LOAD_S8(rnn_model_b + r) * (1 << (RNN_B_ALIGN - level)));
    return rnn_index_s16_u8(a, (uint8_t)(shift - level));
}

#endif
