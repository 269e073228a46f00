/* SPDX-License-Identifier: MIT
 *
 * rnn_modrelu_s16.h -- the factor of modReLU: 1 + bias / |p| for a complex p, not below 0.
 *
 *   n = re^2 + im^2, divided by 4 until below 256 (k times)
 *   gain = (1 << 13) + ((bias * table[n]) >> (k + 1)), clamped to 0 .. 65535
 *
 * Shape     scalars: re, im, bias s16 at one scale; table s16 [256] in flash, 2^14 / sqrt(n).
 * Scale     the gain is u16 with 13 bits after the point: 0 <= gain < 8. No root, no division.
 * Range     n <= 2^31 as u32; k <= 12; |bias * table| <= 2^30.
 * Overflow  none for any table: re * gain, s16 * u16, is within 2^31 - 2^16 (rnn_modrelu_apply). */
#ifndef RNN_MODRELU_S16_H
#define RNN_MODRELU_S16_H

#include "rnn_flash.h"
#include "rnn_rshift_s32.h"

static inline uint16_t rnn_modrelu_gain(int16_t re, int16_t im, int16_t bias, const int16_t *table)
{
    uint32_t n = (uint32_t)((int32_t)re * re) + (uint32_t)((int32_t)im * im);
    uint8_t k = 1;
    while (n >> 16) { /* four quarterings at once */
        n >>= 8;
        k = (uint8_t)(k + 4u);
    }
    uint16_t index = (uint16_t)n;
    while (index >> 8) {
        index = (uint16_t)(index >> 2);
        k++;
    }
    int32_t gain = 8192 + (((int32_t)bias * RNN_LOAD_S16(table + index)) >> k);
    if (gain < 0)
        return 0;
    return gain > 65535 ? 65535u : (uint16_t)gain;
}

/* One part of p times the gain, rounded half up: |result| <= 2^18. */
static inline int32_t rnn_modrelu_apply(int16_t part, uint16_t gain)
{
    return rnn_rshift_s32((int32_t)part * (int32_t)gain, 13);
}

#endif
