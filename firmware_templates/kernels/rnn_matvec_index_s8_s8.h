/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_index_s8_s8.h -- acc = M v, or acc += M v; M int8 [rows, cols] stored as index,
 * v s8 [cols].
 *
 * Storage   a list of (column, value) pairs per row: rows + 2 nnz bytes. cols <= 256,
 *           at most 255 nonzeros in a row; cols itself is not needed.
 * Contract  shapes, scale, rounding, memory and `add` as in rnn_matvec.h.
 * Overflow  |product| <= 2^14 fits an int of 16 bits; the sum: rnn_matvec.h.
 * Cost      nnz multiply-adds. */
#ifndef RNN_MATVEC_INDEX_S8_S8_H
#define RNN_MATVEC_INDEX_S8_S8_H

#include <stdint.h>

void rnn_matvec_index_s8_s8(const void *matrix, const int8_t *v, int32_t *acc,
                            uint16_t rows, uint16_t cols, uint8_t add);

#endif
