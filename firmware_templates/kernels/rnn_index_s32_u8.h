/* SPDX-License-Identifier: MIT
 *
 * rnn_index_s32_u8.h -- which entry of a 256-entry table a stands for:
 * clip(floor(a / 2^shift) + 128, 0, 255).
 *
 * Range     a any int32, shift 0 .. 31, a constant at every call.
 * Overflow  none: the clip comes before the 128 is added. */
#ifndef RNN_INDEX_S32_U8_H
#define RNN_INDEX_S32_U8_H

#include "rnn_flash.h"

RNN_INLINE uint8_t rnn_index_s32_u8(int32_t a, uint8_t shift)
{
    int32_t bucket = a >> shift;
    if (bucket > 127)
        return 255;
    if (bucket < -128)
        return 0;
    return (uint8_t)(bucket + 128);
}

#endif
