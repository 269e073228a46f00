/* SPDX-License-Identifier: MIT
 *
 * register.h -- narrow accesses to device registers, which may be 8, 16 or 32 bits wide. */
#ifndef REGISTER_H
#define REGISTER_H

#include <stdint.h>

static inline uint32_t register_mask(unsigned size)
{
    return size == 4 ? ~0u : (1u << (8 * size)) - 1;
}

/* The part of an aligned 32-bit `word` that a read of `size` at `address` sees. */
static inline uint32_t register_part(uint32_t word, uint32_t address, unsigned size)
{
    return word >> (8 * (address & 3)) & register_mask(size);
}

/* `word` after a write of `size` at `address`. */
static inline uint32_t register_merge(uint32_t word, uint32_t address, unsigned size,
                                      uint32_t value)
{
    uint32_t shift = 8 * (address & 3), mask = register_mask(size) << shift;
    return (word & ~mask) | (value << shift & mask);
}

#endif
