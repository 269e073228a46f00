/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_bitmap_s8_s8.h -- acc = M v, or acc += M v; M int8 [rows, cols] stored as bitmap,
 * v s8 [cols].
 *
 * Storage   one bit per weight, then the nonzero values: rows * ceil(cols / 8) + nnz bytes.
 * Contract  shapes, scale, rounding, memory and `add` as in rnn_matvec.h.
 * Overflow  |product| <= 2^14 fits an int of 16 bits; the sum: rnn_matvec.h.
 * Cost      nnz multiply-adds and up to 8 bit tests for each of the rows * ceil(cols / 8) bytes. */
#ifndef RNN_MATVEC_BITMAP_S8_S8_H
#define RNN_MATVEC_BITMAP_S8_S8_H

#include <stdint.h>

void rnn_matvec_bitmap_s8_s8(const void *matrix, const int8_t *v, int32_t *acc,
                             uint16_t rows, uint16_t cols, uint8_t add);

#endif
