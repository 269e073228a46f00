/* SPDX-License-Identifier: MIT
 *
 * rnn_gate_u8_s16.h -- gate * value on an AVR, u8 * s16. Contract: the portable file of this name.
 *
 * MULSU leaves the product's sign in the carry, and the low half cannot change it. */
#ifndef RNN_GATE_U8_S16_H
#define RNN_GATE_U8_S16_H

#include "rnn_flash.h"

RNN_INLINE int32_t rnn_gate_u8_s16(uint8_t gate, int16_t value)
{
    int32_t product;
    __asm__("mul %1, %A2\n\t"
            "movw %A0, r0\n\t"
            "mulsu %B2, %1\n\t"
            "sbc %D0, %D0\n\t"
            "mov %C0, r1\n\t"
            "add %B0, r0\n\t"
            "clr r1\n\t"
            "adc %C0, r1"
            : "=&r"(product)
            : "a"(gate), "a"(value)
            : "r0");
    return product;
}

#endif
