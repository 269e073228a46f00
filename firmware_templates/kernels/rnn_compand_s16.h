/* SPDX-License-Identifier: MIT
 *
 * rnn_compand_s16.h -- sign(r) * table[bucket(|r|)]: a pseudo-logarithm with 4 bits of mantissa.
 *
 *   r      raw sample, any int16; -32768 counts as -32767
 *   table  int16 [192] in flash, entries >= 0
 *
 * bucket(u) = u below 16, else 16 (e + 1) + ((u >> e) & 15) with e = bit_length(u) - 5.
 * Overflow  none: u <= 32767, e <= 10, bucket <= 191. No static state. */
#ifndef RNN_COMPAND_S16_H
#define RNN_COMPAND_S16_H

#include <stdint.h>

int16_t rnn_compand_s16(int16_t r, const int16_t *table);

#endif
