/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_pairs_s8_s16.h -- acc = M v, or acc += M v, on ARMv7-M: two nonzero weights in a word.
 *
 * Storage   per row a word with the number of its pairs, then pairs: bytes column, weight, column,
 *           weight, from the lowest on. An odd row ends with a weight 0. cols <= 256, at
 *           most 32 pairs in a row. Packing:
 *           harness/firmware/armv7m.py.
 * Contract  shapes, scale, rounding, memory and `add` as in rnn_matvec.h.
 * Overflow  |product| <= 2^22; the sum: rnn_matvec.h.
 * Cost      8 instructions a pair with the DSP extension, else 9, and 8 a row: docs/kernels.md. */
#ifndef RNN_MATVEC_PAIRS_S8_S16_H
#define RNN_MATVEC_PAIRS_S8_S16_H

#include <stdint.h>

void rnn_matvec_pairs_s8_s16(const void *matrix, const int16_t *v, int32_t *acc, uint16_t rows,
                             uint16_t cols, uint8_t add);

#endif
