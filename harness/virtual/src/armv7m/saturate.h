/* SPDX-License-Identifier: MIT
 *
 * saturate.h -- saturation to a number of bits (the ARM, section A2.2.1), and the lanes of a
 * word. */
#ifndef SATURATE_H
#define SATURATE_H

#include "cpu.h"

/* To `bits` bits, 1..32; `q` notes that it was necessary and may be NULL. */
static inline int32_t saturate_signed(int64_t value, unsigned bits, bool *q)
{
    int64_t most = (INT64_C(1) << (bits - 1)) - 1, least = -most - 1;
    int64_t result = value > most ? most : value < least ? least : value;
    if (q && result != value)
        *q = true;
    return (int32_t)result;
}

/* To `bits` bits, 0..31. */
static inline uint32_t saturate_unsigned(int64_t value, unsigned bits, bool *q)
{
    int64_t most = (INT64_C(1) << bits) - 1;
    int64_t result = value > most ? most : value < 0 ? 0 : value;
    if (q && result != value)
        *q = true;
    return (uint32_t)result;
}

static inline int32_t low_half(uint32_t word)
{
    return (int16_t)word;
}

static inline int32_t high_half(uint32_t word)
{
    return (int16_t)(word >> 16);
}

static inline uint32_t pack_halves(uint32_t low, uint32_t high)
{
    return (low & 0xFFFF) | high << 16;
}

#endif
