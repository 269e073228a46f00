/* SPDX-License-Identifier: MIT
 *
 * rnn_rshift_s32.h -- v / 2^shift, rounding half up, on ARMv7-M: the last bit that the shift drops is
 * the carry, and rounds. Contract: kernels/rnn_rshift_s32.h. */
#ifndef RNN_RSHIFT_S32_H
#define RNN_RSHIFT_S32_H

#include "rnn_flash.h"

RNN_INLINE int32_t rnn_rshift_s32(int32_t v, uint8_t shift)
{
    int32_t rounded = v;
    if (shift)
        __asm__("asrs %0, %1, %2\n\tadc %0, %0, #0" : "=r"(rounded) : "r"(v), "i"(shift) : "cc");
    return rounded;
}

#endif
