/* SPDX-License-Identifier: MIT */
#include "rnn_compand_s16.h"

#include "rnn_flash.h"

int16_t rnn_compand_s16(int16_t r, const int16_t *table)
{
    uint16_t u = r >= 0 ? (uint16_t)r : (uint16_t)(0u - (uint16_t)r);
    if (u > 32767u)
        u = 32767u;
    /* Halving until the 4-bit mantissa and its leading one are left; each halving is an octave. */
    uint8_t octave = 0;
    while (u >= 32u) {
        u >>= 1;
        octave = (uint8_t)(octave + 16u);
    }
    int16_t magnitude = RNN_LOAD_S16(table + octave + u);
    return r < 0 ? (int16_t)-magnitude : magnitude;
}
