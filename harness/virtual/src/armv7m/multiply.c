/* SPDX-License-Identifier: MIT
 *
 * multiply.c -- multiplication and division (the ARM, section A4.4.3). In the DSP forms Ra = 15
 * means that nothing is added. */
#include "memory.h"
#include "saturate.h"
#include "wide.h"

#define CCR_DIV_0_TRP 0x10u

/* ---- 32 bits ---- */

bool mul(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = cpu->r[RN(w)] * cpu->r[RM(w)];
    return true;
}

bool mla(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = cpu->r[RT(w)] + cpu->r[RN(w)] * cpu->r[RM(w)];
    return true;
}

bool mls(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = cpu->r[RT(w)] - cpu->r[RN(w)] * cpu->r[RM(w)];
    return true;
}

static bool divides_by_zero(struct cpu *cpu, const struct wide *w)
{
    return cpu->r[RM(w)] == 0 && (cpu->ccr & CCR_DIV_0_TRP);
}

bool sdiv(struct cpu *cpu, const struct wide *w)
{
    int64_t n = (int32_t)cpu->r[RN(w)], m = (int32_t)cpu->r[RM(w)];
    if (divides_by_zero(cpu, w))
        return refuse(cpu, FAULT_DIVIDE_BY_ZERO, cpu->pc - 4);
    cpu->r[RD(w)] = m ? (uint32_t)(n / m) : 0;
    return true;
}

bool udiv(struct cpu *cpu, const struct wide *w)
{
    uint32_t n = cpu->r[RN(w)], m = cpu->r[RM(w)];
    if (divides_by_zero(cpu, w))
        return refuse(cpu, FAULT_DIVIDE_BY_ZERO, cpu->pc - 4);
    cpu->r[RD(w)] = m ? n / m : 0;
    return true;
}

/* ---- 64 bits, in RdHi:RdLo ---- */

static uint64_t long_value(const struct cpu *cpu, const struct wide *w)
{
    return (uint64_t)cpu->r[RD(w)] << 32 | cpu->r[RT(w)];
}

static bool set_long(struct cpu *cpu, const struct wide *w, uint64_t value)
{
    cpu->r[RT(w)] = (uint32_t)value;
    cpu->r[RD(w)] = (uint32_t)(value >> 32);
    return true;
}

static uint64_t signed_product(const struct cpu *cpu, const struct wide *w)
{
    return (uint64_t)((int64_t)(int32_t)cpu->r[RN(w)] * (int32_t)cpu->r[RM(w)]);
}

static uint64_t unsigned_product(const struct cpu *cpu, const struct wide *w)
{
    return (uint64_t)cpu->r[RN(w)] * cpu->r[RM(w)];
}

bool smull(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, signed_product(cpu, w));
}

bool umull(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, unsigned_product(cpu, w));
}

bool smlal(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, long_value(cpu, w) + signed_product(cpu, w));
}

bool umlal(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, long_value(cpu, w) + unsigned_product(cpu, w));
}

bool umaal(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, unsigned_product(cpu, w) + cpu->r[RT(w)] + cpu->r[RD(w)]);
}

/* ---- halfwords (DSP) ---- */

static uint32_t addend(const struct cpu *cpu, const struct wide *w)
{
    return RT(w) == 15 ? 0 : cpu->r[RT(w)];
}

static bool accumulate(struct cpu *cpu, const struct wide *w, int64_t product)
{
    int64_t sum = product + (int32_t)addend(cpu, w);
    if (sum != (int32_t)sum)
        cpu->q = true;
    cpu->r[RD(w)] = (uint32_t)sum;
    return true;
}

static int64_t half_product(const struct cpu *cpu, const struct wide *w)    /* <x><y> */
{
    uint32_t n = cpu->r[RN(w)], m = cpu->r[RM(w)];
    int64_t x = BIT(w, 5) ? high_half(n) : low_half(n);
    return x * (BIT(w, 4) ? high_half(m) : low_half(m));
}

/* Both products of halfwords, with X crosswise; `sign` is that of the upper one. */
static int64_t dual_product(const struct cpu *cpu, const struct wide *w, int64_t sign)
{
    uint32_t n = cpu->r[RN(w)], m = cpu->r[RM(w)];
    if (BIT(w, 4))
        m = m >> 16 | m << 16;
    return (int64_t)low_half(n) * low_half(m) + sign * ((int64_t)high_half(n) * high_half(m));
}

bool smlaxy(struct cpu *cpu, const struct wide *w)
{
    return accumulate(cpu, w, half_product(cpu, w));
}

bool smlad(struct cpu *cpu, const struct wide *w)
{
    return accumulate(cpu, w, dual_product(cpu, w, 1));
}

bool smlsd(struct cpu *cpu, const struct wide *w)
{
    return accumulate(cpu, w, dual_product(cpu, w, -1));
}

bool smlaw(struct cpu *cpu, const struct wide *w)
{
    uint32_t m = cpu->r[RM(w)];
    int64_t product = (int64_t)(int32_t)cpu->r[RN(w)] * (BIT(w, 4) ? high_half(m) : low_half(m));
    return accumulate(cpu, w, product >> 16);
}

bool smlalxy(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, long_value(cpu, w) + (uint64_t)half_product(cpu, w));
}

bool smlald(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, long_value(cpu, w) + (uint64_t)dual_product(cpu, w, 1));
}

bool smlsld(struct cpu *cpu, const struct wide *w)
{
    return set_long(cpu, w, long_value(cpu, w) + (uint64_t)dual_product(cpu, w, -1));
}

/* ---- the upper word of a product (DSP); R rounds ---- */

static bool set_upper(struct cpu *cpu, const struct wide *w, uint64_t value)
{
    cpu->r[RD(w)] = (uint32_t)((value + (BIT(w, 4) ? 0x80000000u : 0)) >> 32);
    return true;
}

bool smmla(struct cpu *cpu, const struct wide *w)
{
    return set_upper(cpu, w, ((uint64_t)addend(cpu, w) << 32) + signed_product(cpu, w));
}

bool smmls(struct cpu *cpu, const struct wide *w)
{
    return set_upper(cpu, w, ((uint64_t)addend(cpu, w) << 32) - signed_product(cpu, w));
}
