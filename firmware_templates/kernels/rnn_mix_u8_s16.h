/* SPDX-License-Identifier: MIT
 *
 * rnn_mix_u8_s16.h -- the gated update (p a + q b + 128) >> 8, rounding half up.
 *
 * Shape     scalars: gates u8, values s16 (an s8 state is widened).
 * Scale     a, b and the result at one scale.
 * Range     |sum| <= 2 * 255 * 2^15 + 128 < 2^24, |result| <= 2^16; the caller saturates.
 * Overflow  none. */
#ifndef RNN_MIX_U8_S16_H
#define RNN_MIX_U8_S16_H

#include "rnn_gate_u8_s16.h"

RNN_INLINE int32_t rnn_mix_u8_s16(uint8_t p, int16_t a, uint8_t q, int16_t b)
{
    return (rnn_gate_u8_s16(p, a) + rnn_gate_u8_s16(q, b) + 128) >> 8;
}

#endif
