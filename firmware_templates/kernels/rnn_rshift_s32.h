/* SPDX-License-Identifier: MIT
 *
 * rnn_rshift_s32.h -- v / 2^shift, rounding half up: floor((v + 2^(shift-1)) / 2^shift).
 *
 * Range     v any int32, shift 0 .. 31 (a constant at every call).
 * Overflow  none: the rounding bit is added after all but one of the shifts, and for shift 1, where
 *           nothing has been shifted out before, by itself. Needs an arithmetic right shift of
 *           negative numbers, as gcc and clang do it. */
#ifndef RNN_RSHIFT_S32_H
#define RNN_RSHIFT_S32_H

#include "rnn_flash.h"

RNN_INLINE int32_t rnn_rshift_s32(int32_t v, uint8_t shift)
{
    if (shift == 0)
        return v;
    if (shift == 1)
        return (v >> 1) + (v & 1);
    return ((v >> (shift - 1)) + 1) >> 1;
}

#endif
