/* SPDX-License-Identifier: MIT
 *
 * rnn_dsp.h -- the instructions of the ARMv7E-M DSP extension that the kernels use.
 *
 * Not <arm_acle.h>: it has these since gcc 10 only, and Arduino cores come with older ones. None of
 * them is volatile, so the compiler schedules and drops them as it does its own.
 * Range     rnn_smlad adds modulo 2^32; the Q flag, which it sets on overflow, is never read. */
#ifndef RNN_DSP_H
#define RNN_DSP_H

#include <string.h>

#include "rnn_flash.h"

/* sum + x.low * y.low + x.high * y.high, all of them signed halfwords. */
RNN_INLINE uint32_t rnn_smlad(uint32_t x, uint32_t y, uint32_t sum)
{
    uint32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
}

/* sum + low or high halfword of x * low halfword of y. */
RNN_INLINE int32_t rnn_smlabb(uint32_t x, int32_t y, int32_t sum)
{
    int32_t result;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
}

RNN_INLINE int32_t rnn_smlatb(uint32_t x, int32_t y, int32_t sum)
{
    int32_t result;
    __asm__("smlatb %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
}

/* The second and fourth byte, sign-extended to halfwords. */
RNN_INLINE uint32_t rnn_sxtb16_odd(uint32_t x)
{
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(x));
    return result;
}

/* Two elements of a vector, wherever it lies: one LDR, which need not be aligned. */
RNN_INLINE uint32_t rnn_two(const int16_t *v)
{
    uint32_t both;
    memcpy(&both, v, sizeof both);
    return both;
}

#endif
