/* SPDX-License-Identifier: MIT
 *
 * rnn_activation.h -- which entry of a table the pre-activation of a row stands for: the index of
 * rnn_preactivation(acc, r), for cells with one bias a row.
 *
 * Range     r below RNN_ROWS; shift 0 .. 31, a constant at every call. */
#ifndef RNN_ACTIVATION_H
#define RNN_ACTIVATION_H

#include "rnn_index_s32_u8.h"
#include "rnn_products.h"

RNN_INLINE uint8_t rnn_activation_index(const int32_t *acc, uint16_t r, uint8_t shift)
{
    return rnn_index_s32_u8(rnn_preactivation(acc, r), shift);
}

#endif
