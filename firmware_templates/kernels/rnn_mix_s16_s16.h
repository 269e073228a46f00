/* SPDX-License-Identifier: MIT
 *
 * rnn_mix_s16_s16.h -- the gated update (p a + q b + 2^12) >> 13, rounding half up: gates that may be
 * negative or above 1, at frac 13.
 *
 * Shape     scalars: gates s16, values s16 (an s8 state is widened).
 * Scale     a, b and the result at one scale.
 * Overflow  the caller's proof: |p a + q b| + 2^12 < 2^31 (docs/arithmetic.md, "No overflow"). */
#ifndef RNN_MIX_S16_S16_H
#define RNN_MIX_S16_S16_H

#include "rnn_rshift_s32.h"

RNN_INLINE int32_t rnn_mix_s16_s16(int16_t p, int16_t a, int16_t q, int16_t b)
{
    return rnn_rshift_s32((int32_t)p * a + (int32_t)q * b, 13);
}

#endif
