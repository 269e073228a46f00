/* SPDX-License-Identifier: MIT
 *
 * rnn_mul_s16_s16.h -- s16 * s16 in 32 bits on an AVR, inline: avr-gcc calls a function for it. */
#ifndef RNN_MUL_S16_S16_H
#define RNN_MUL_S16_S16_H

#include "rnn_flash.h"

RNN_INLINE int32_t rnn_mul_s16_s16(int16_t a, int16_t b)
{
    int32_t product;
    uint8_t zero;
    __asm__("clr %1\n\t"
            "muls %B2, %B3\n\t"
            "movw %C0, r0\n\t"
            "mul %A2, %A3\n\t"
            "movw %A0, r0\n\t"
            "mulsu %B2, %A3\n\t"
            "sbc %D0, %1\n\t"
            "add %B0, r0\n\t"
            "adc %C0, r1\n\t"
            "adc %D0, %1\n\t"
            "mulsu %B3, %A2\n\t"
            "sbc %D0, %1\n\t"
            "add %B0, r0\n\t"
            "adc %C0, r1\n\t"
            "adc %D0, %1\n\t"
            "clr r1"
            : "=&r"(product), "=&r"(zero)
            : "a"(a), "a"(b)
            : "r0");
    return product;
}

#endif
