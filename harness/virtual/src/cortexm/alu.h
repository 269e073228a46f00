/* SPDX-License-Identifier: MIT
 *
 * alu.h -- sums, shifts and the flags they set (ARM DDI 0403, sections A2.2.1 and A7.4; DDI 0419,
 * A6.4). */
#ifndef ALU_H
#define ALU_H

#include "cpu.h"

/* ---- flags ---- */

static inline void set_nz(struct cpu *cpu, uint32_t result)
{
    cpu->n = cpu->z = result;
}

static inline uint32_t add_flags(struct cpu *cpu, uint32_t a, uint32_t b, uint32_t carry)
{
    uint64_t wide = (uint64_t)a + b + carry;
    uint32_t result = (uint32_t)wide;
    cpu->c = (uint32_t)(wide >> 32);
    cpu->v = (a ^ result) & (b ^ result);
    set_nz(cpu, result);
    return result;
}

static inline uint32_t sub_flags(struct cpu *cpu, uint32_t a, uint32_t b)
{
    return add_flags(cpu, a, ~b, 1);
}

static inline bool condition_signed_less(const struct cpu *cpu)
{
    return ((cpu->n ^ cpu->v) >> 31) != 0;
}

/* ---- shifts by a register or immediate amount, 0..255; C unchanged for 0 ---- */

static inline uint32_t shift_left(struct cpu *cpu, uint32_t value, uint32_t by)
{
    if (by == 0)
        return value;
    cpu->c = by <= 32 ? value >> (32 - by) & 1 : 0;
    return by < 32 ? value << by : 0;
}

static inline uint32_t shift_right(struct cpu *cpu, uint32_t value, uint32_t by)
{
    if (by == 0)
        return value;
    cpu->c = by <= 32 ? value >> (by - 1) & 1 : 0;
    return by < 32 ? value >> by : 0;
}

static inline uint32_t shift_arithmetic(struct cpu *cpu, uint32_t value, uint32_t by)
{
    uint32_t sign = value & 0x80000000u ? ~0u : 0;
    if (by == 0)
        return value;
    cpu->c = by < 32 ? value >> (by - 1) & 1 : sign & 1;
    return by < 32 ? (uint32_t)((int32_t)value >> by) : sign;
}

static inline uint32_t rotate_right(struct cpu *cpu, uint32_t value, uint32_t by)
{
    uint32_t left = by & 31;
    if (by == 0)
        return value;
    if (left)
        value = value >> left | value << (32 - left);
    cpu->c = value >> 31;
    return value;
}

#endif
