/* SPDX-License-Identifier: MIT */
#include "rnn_matvec_dense_s8_s16.h"

#include "rnn_flash.h"

void rnn_matvec_dense_s8_s16(const int8_t *matrix, const int16_t *v, int32_t *acc,
                             uint16_t rows, uint16_t cols)
{
    for (uint16_t r = 0; r < rows; r++) {
        int32_t sum = acc[r];
        for (uint16_t c = 0; c < cols; c++)
            sum += (int32_t)RNN_LOAD_S8(matrix++) * v[c];
        acc[r] = sum;
    }
}
