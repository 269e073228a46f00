/* SPDX-License-Identifier: MIT */
#include "rnn_matvec_bitmap_s8_s8.h"

#include "rnn_flash.h"

void rnn_matvec_bitmap_s8_s8(const void *matrix, const int8_t *v, int32_t *acc,
                             uint16_t rows, uint16_t cols, uint8_t add)
{
    const int8_t *at = matrix;
    uint16_t row_bytes = (uint16_t)((cols + 7u) / 8u);
    for (uint16_t r = 0; r < rows; r++) {
        const int8_t *bits = at;
        int32_t sum = add ? acc[r] : 0;
        at += row_bytes;
        for (uint16_t i = 0; i < row_bytes; i++) {
            const int8_t *element = v + (uint16_t)(8u * i);
            for (uint8_t set = (uint8_t)RNN_LOAD_S8(bits++); set; set = (uint8_t)(set >> 1)) {
                if (set & 1u)
                    sum += (int16_t)(RNN_LOAD_S8(at++) * *element);
                element++;
            }
        }
        acc[r] = sum;
    }
}
