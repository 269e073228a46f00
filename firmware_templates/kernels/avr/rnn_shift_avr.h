/* SPDX-License-Identifier: MIT
 *
 * rnn_shift_avr.h -- shifts by a constant on an AVR, which shifts one bit of one byte at a time.
 *
 * Whole bytes are moves, which the compiler sees; the rest of 1 .. 7 bits is a chain over the bytes
 * that are left, to the right, or to the left by what is missing to the next byte.
 *
 * Range     any value; shift 0 .. 31, a constant at every call. */
#ifndef RNN_SHIFT_AVR_H
#define RNN_SHIFT_AVR_H

#include "rnn_flash.h"

/* v >> shift for 0 .. 7. */
RNN_INLINE int16_t rnn_asr_bits_s16(int16_t v, uint8_t shift)
{
    if (shift > 4) {
        int8_t top = v < 0 ? -1 : 0;
        __asm__(".rept 8 - %2\n\tlsl %A0\n\trol %B0\n\trol %1\n\t.endr"
                : "+r"(v), "+r"(top)
                : "n"(shift));
        return (int16_t)((uint16_t)((uint16_t)(uint8_t)top << 8) | (uint16_t)((uint16_t)v >> 8));
    }
    __asm__(".rept %1\n\tasr %B0\n\tror %A0\n\t.endr" : "+r"(v) : "n"(shift));
    return v;
}

RNN_INLINE int32_t rnn_asr_bits_s32(int32_t v, uint8_t shift)
{
    if (shift > 4) {
        int8_t top = v < 0 ? -1 : 0;
        __asm__(".rept 8 - %2\n\tlsl %A0\n\trol %B0\n\trol %C0\n\trol %D0\n\trol %1\n\t.endr"
                : "+r"(v), "+r"(top)
                : "n"(shift));
        return (int32_t)(((uint32_t)(uint8_t)top << 24) | ((uint32_t)v >> 8));
    }
    __asm__(".rept %1\n\tasr %D0\n\tror %C0\n\tror %B0\n\tror %A0\n\t.endr" : "+r"(v) : "n"(shift));
    return v;
}

RNN_INLINE __int24 rnn_asr_bits_s24(__int24 v, uint8_t shift)
{
    if (shift > 4) {
        int8_t top = v < 0 ? -1 : 0;
        __asm__(".rept 8 - %2\n\tlsl %A0\n\trol %B0\n\trol %C0\n\trol %1\n\t.endr"
                : "+r"(v), "+r"(top)
                : "n"(shift));
        return (__int24)(((__uint24)(uint8_t)top << 16) | ((__uint24)v >> 8));
    }
    __asm__(".rept %1\n\tasr %C0\n\tror %B0\n\tror %A0\n\t.endr" : "+r"(v) : "n"(shift));
    return v;
}

/* floor(v / 2^shift) */
RNN_INLINE int16_t rnn_asr_s16(int16_t v, uint8_t shift)
{
    if (shift >= 15)
        return v < 0 ? -1 : 0;
    if (shift >= 8)
        return rnn_asr_bits_s16((int8_t)(v >> 8), (uint8_t)(shift - 8u));
    return rnn_asr_bits_s16(v, shift);
}

RNN_INLINE int32_t rnn_asr_s32(int32_t v, uint8_t shift)
{
    if (shift >= 16)
        return rnn_asr_s16((int16_t)(v >> 16), (uint8_t)(shift - 16u));
    if (shift >= 8)
        return rnn_asr_bits_s24((__int24)(v >> 8), (uint8_t)(shift - 8u));
    return rnn_asr_bits_s32(v, shift);
}

/* v * 2^shift */
RNN_INLINE int32_t rnn_lsl_s32(int32_t v, uint8_t shift)
{
    uint32_t u = (uint32_t)v << (shift & 24u);
    __asm__(".rept %1\n\tlsl %A0\n\trol %B0\n\trol %C0\n\trol %D0\n\t.endr"
            : "+r"(u)
            : "n"(shift & 7u));
    return (int32_t)u;
}

#endif
