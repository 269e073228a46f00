/* SPDX-License-Identifier: MIT */
#include "rnn_matvec_index_s8_s8.h"

#include "rnn_flash.h"

void rnn_matvec_index_s8_s8(const void *matrix, const int8_t *v, int32_t *acc,
                            uint16_t rows, uint16_t cols, uint8_t add)
{
    const int8_t *at = matrix;
    (void)cols;
    for (uint16_t r = 0; r < rows; r++) {
        int32_t sum = add ? acc[r] : 0;
        for (uint8_t left = (uint8_t)RNN_LOAD_S8(at++); left; left--) {
            uint8_t c = (uint8_t)RNN_LOAD_S8(at++);
            sum += (int16_t)(RNN_LOAD_S8(at++) * v[c]);
        }
        acc[r] = sum;
    }
}
