/* SPDX-License-Identifier: MIT
 *
 * bits.c -- saturation, bit fields, reversals and extensions (the ARM, sections A4.4.4 to
 * A4.4.7). */
#include "saturate.h"
#include "wide.h"

/* ---- saturation of a shifted register ---- */

static int32_t saturation_operand(const struct cpu *cpu, const struct wide *w)
{
    uint32_t value = cpu->r[RN(w)];
    return BIT(w, 21) ? (int32_t)value >> IMM5(w) : (int32_t)(value << IMM5(w));
}

bool ssat(struct cpu *cpu, const struct wide *w)
{
    unsigned bits = (w->word & 31) + 1;
    cpu->r[RD(w)] = (uint32_t)saturate_signed(saturation_operand(cpu, w), bits, &cpu->q);
    return true;
}

bool usat(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = saturate_unsigned(saturation_operand(cpu, w), w->word & 31, &cpu->q);
    return true;
}

/* ---- bit fields: from IMM5 on ---- */

static uint32_t low_bits(unsigned count)        /* 1..32 */
{
    return ~0u >> (32 - count);
}

bool ubfx(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = cpu->r[RN(w)] >> IMM5(w) & low_bits((w->word & 31) + 1);
    return true;
}

bool sbfx(struct cpu *cpu, const struct wide *w)
{
    unsigned top = IMM5(w) + (w->word & 31);
    cpu->r[RD(w)] = (uint32_t)((int32_t)(cpu->r[RN(w)] << (31 - top)) >> (31 - (w->word & 31)));
    return true;
}

static void insert(struct cpu *cpu, const struct wide *w, uint32_t value)
{
    unsigned lsb = IMM5(w), msb = w->word & 31;
    uint32_t mask = low_bits(msb - lsb + 1) << lsb, *d = &cpu->r[RD(w)];
    *d = (*d & ~mask) | (value << lsb & mask);
}

bool bfi(struct cpu *cpu, const struct wide *w)
{
    insert(cpu, w, cpu->r[RN(w)]);
    return true;
}

bool bfc(struct cpu *cpu, const struct wide *w)
{
    insert(cpu, w, 0);
    return true;
}

/* ---- counting and reversing ---- */

bool clz(struct cpu *cpu, const struct wide *w)
{
    uint32_t value = cpu->r[RM(w)];
    cpu->r[RD(w)] = value ? (uint32_t)__builtin_clz(value) : 32;
    return true;
}

bool rbit(struct cpu *cpu, const struct wide *w)
{
    uint32_t value = __builtin_bswap32(cpu->r[RM(w)]);
    value = (value >> 4 & 0x0F0F0F0Fu) | (value & 0x0F0F0F0Fu) << 4;
    value = (value >> 2 & 0x33333333u) | (value & 0x33333333u) << 2;
    cpu->r[RD(w)] = (value >> 1 & 0x55555555u) | (value & 0x55555555u) << 1;
    return true;
}

bool rev(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = __builtin_bswap32(cpu->r[RM(w)]);
    return true;
}

bool rev16(struct cpu *cpu, const struct wide *w)
{
    uint32_t value = cpu->r[RM(w)];
    cpu->r[RD(w)] = (value & 0x00FF00FFu) << 8 | (value >> 8 & 0x00FF00FFu);
    return true;
}

bool revsh(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = (uint32_t)low_half(__builtin_bswap32(cpu->r[RM(w)]) >> 16);
    return true;
}

/* ---- SXTB, SXTH, UXTB, UXTH with rotation, and the DSP forms that add ---- */

static uint32_t rotated(const struct cpu *cpu, const struct wide *w)
{
    uint32_t value = cpu->r[RM(w)], by = w->word >> 1 & 0x18;
    return by ? value >> by | value << (32 - by) : value;
}

static uint32_t extended(const struct cpu *cpu, const struct wide *w)
{
    uint32_t value = rotated(cpu, w);
    bool is_unsigned = BIT(w, 20), is_byte = BIT(w, 22);
    if (is_byte)
        return is_unsigned ? value & 0xFF : (uint32_t)(int32_t)(int8_t)value;
    return is_unsigned ? value & 0xFFFF : (uint32_t)low_half(value);
}

bool extend(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = extended(cpu, w);
    return true;
}

bool extend_add(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = cpu->r[RN(w)] + extended(cpu, w);
    return true;
}

/* SXTB16, UXTB16, SXTAB16, UXTAB16: bytes 0 and 2 to halfwords. */
bool extend_16(struct cpu *cpu, const struct wide *w)
{
    uint32_t bytes = rotated(cpu, w), base = RN(w) == 15 ? 0 : cpu->r[RN(w)];
    uint32_t low = bytes & 0xFF, high = bytes >> 16 & 0xFF;
    if (!BIT(w, 20)) {
        low = (uint32_t)(int32_t)(int8_t)low;
        high = (uint32_t)(int32_t)(int8_t)high;
    }
    cpu->r[RD(w)] = pack_halves(base + low, (base >> 16) + high);
    return true;
}
