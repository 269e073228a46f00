/* SPDX-License-Identifier: MIT
 *
 * rnn_index_s32_u8.h -- the index of a 256-entry table on ARMv7-M: one SSAT shifts and clips.
 * Contract: kernels/rnn_index_s32_u8.h. */
#ifndef RNN_INDEX_S32_U8_H
#define RNN_INDEX_S32_U8_H

#include "rnn_flash.h"

RNN_INLINE uint8_t rnn_index_s32_u8(int32_t a, uint8_t shift)
{
    int32_t bucket;
    if (shift)
        __asm__("ssat %0, #8, %1, asr %2" : "=r"(bucket) : "r"(a), "i"(shift));
    else
        __asm__("ssat %0, #8, %1" : "=r"(bucket) : "r"(a));
    uint32_t index = (uint32_t)(bucket + 128);
    if (index > 255) /* or the compiler would mask it */
        __builtin_unreachable();
    return (uint8_t)index;
}

#endif
