/* SPDX-License-Identifier: MIT
 *
 * rnn_gate_u8_s16.h -- gate * value in 1/256, exact: u8 * s16, not yet shifted.
 *
 * Range     |result| <= 255 * 2^15 < 2^23. */
#ifndef RNN_GATE_U8_S16_H
#define RNN_GATE_U8_S16_H

#include "rnn_flash.h"

RNN_INLINE int32_t rnn_gate_u8_s16(uint8_t gate, int16_t value)
{
    return (int32_t)(int16_t)gate * value;
}

#endif
