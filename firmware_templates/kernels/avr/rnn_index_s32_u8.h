/* SPDX-License-Identifier: MIT
 *
 * rnn_index_s32_u8.h -- clip(floor(a / 2^shift) + 128, 0, 255) on an AVR. Contract: the portable
 * file of this name. */
#ifndef RNN_INDEX_S32_U8_H
#define RNN_INDEX_S32_U8_H

#include "rnn_shift_avr.h"

/* The same for a of 16 bits. */
RNN_INLINE uint8_t rnn_index_s16_u8(int16_t a, uint8_t shift)
{
    int16_t bucket = rnn_asr_s16(a, shift);
    if ((int8_t)bucket == bucket)
        return (uint8_t)((uint8_t)bucket + 128u);
    return a < 0 ? 0 : 255;
}

RNN_INLINE uint8_t rnn_index_s32_u8(int32_t a, uint8_t shift)
{
    int32_t bucket = rnn_asr_s32(a, shift);
    if ((int8_t)bucket == bucket)
        return (uint8_t)((uint8_t)bucket + 128u);
    return a < 0 ? 0 : 255;
}

#endif
