/* SPDX-License-Identifier: MIT */
#include "rnn_matvec_dense_s8_s16.h"

#include "rnn_flash.h"

void rnn_matvec_dense_s8_s16(const void *matrix, const int16_t *v, int32_t *acc,
                             uint16_t rows, uint16_t cols, uint8_t add)
{
    const int8_t *weight = matrix;
    const int16_t *end = v + cols;
    for (uint16_t r = 0; r < rows; r++) {
        int32_t sum = add ? acc[r] : 0;
        for (const int16_t *x = v; x != end; x++)
            sum += (int32_t)RNN_LOAD_S8(weight++) * *x;
        acc[r] = sum;
    }
}
