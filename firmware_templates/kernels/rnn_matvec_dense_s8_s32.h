/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_dense_s8_s32.h -- acc = M v, or acc += M v; M int8 [rows, cols] stored as dense,
 * v s32 [cols].
 *
 * Storage   every weight stored: rows * cols bytes.
 * Contract  shapes, scale, rounding, memory and `add` as in rnn_matvec.h.
 * Overflow  v holds values of up to 31 bits; |product| < 2^31 is part of the proof; the sum: rnn_matvec.h.
 * Cost      rows * cols multiply-adds. */
#ifndef RNN_MATVEC_DENSE_S8_S32_H
#define RNN_MATVEC_DENSE_S8_S32_H

#include <stdint.h>

void rnn_matvec_dense_s8_s32(const void *matrix, const int32_t *v, int32_t *acc,
                             uint16_t rows, uint16_t cols, uint8_t add);

#endif
