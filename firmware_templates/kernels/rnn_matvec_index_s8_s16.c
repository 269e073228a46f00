/* SPDX-License-Identifier: MIT */
#include "rnn_matvec_index_s8_s16.h"

#include "rnn_flash.h"

void rnn_matvec_index_s8_s16(const int8_t *matrix, const int16_t *v, int32_t *acc,
                             uint16_t rows, uint16_t cols)
{
    (void)cols;
    for (uint16_t r = 0; r < rows; r++) {
        int32_t sum = acc[r];
        for (uint8_t left = (uint8_t)RNN_LOAD_S8(matrix++); left; left--) {
            uint8_t c = (uint8_t)RNN_LOAD_S8(matrix++);
            sum += (int32_t)RNN_LOAD_S8(matrix++) * v[c];
        }
        acc[r] = sum;
    }
}
