/* SPDX-License-Identifier: MIT
 *
 * fp.h -- the floating-point unit: single precision on the host's IEEE floats (the ARM, chapters
 * A2.5 and A6).
 *
 * While `fp_live`, the host rounds as FPSCR.RMode says and its sticky exception flags collect
 * those of the guest; fp_leave puts the host back and adds them to FPSCR. */
#ifndef FP_H
#define FP_H

#include "cpu.h"

#define FPSCR_IOC 0x01u
#define FPSCR_DZC 0x02u
#define FPSCR_OFC 0x04u
#define FPSCR_UFC 0x08u
#define FPSCR_IXC 0x10u
#define FPSCR_IDC 0x80u
#define FPSCR_RMODE (3u << 22)
#define FPSCR_FZ (1u << 24)
#define FPSCR_DN (1u << 25)
#define FPSCR_AHP (1u << 26)
#define FPSCR_MASK 0xF7C0009Fu

/* What every floating-point instruction does first: false, after `refuse`, if CPACR keeps the unit
 * off. */
bool fp_enter(struct cpu *cpu);
void fp_settle(struct cpu *cpu);        /* fp_leave while live */

static inline bool fp_begin(struct cpu *cpu)
{
    return __builtin_expect(cpu->fp_live, 1) || fp_enter(cpu);
}

static inline void fp_leave(struct cpu *cpu)
{
    if (cpu->fp_live)
        fp_settle(cpu);
}

/* Host flags to FPSCR; clears them. */
void fp_collect(struct cpu *cpu);
void fp_set_host_rounding(const struct cpu *cpu);

/* ---- registers and bit patterns ---- */

/* Numbers of the single-precision operands of an instruction. */
#define SD(w) (((w)->word >> 11 & 30) | ((w)->word >> 22 & 1))
#define SN(w) (((w)->word >> 15 & 30) | ((w)->word >> 7 & 1))
#define SM(w) (((w)->word << 1 & 30) | ((w)->word >> 5 & 1))

#define FP_SIGN 0x80000000u
#define FP_INFINITY 0x7F800000u
#define FP_QUIET 0x00400000u
#define FP_DEFAULT_NAN 0x7FC00000u
#define FP_LEAST_NORMAL 0x00800000u

static inline float fp_float(uint32_t bits)
{
    union {
        uint32_t bits;
        float value;
    } u = {bits};
    return u.value;
}

static inline uint32_t fp_bits(float value)
{
    union {
        float value;
        uint32_t bits;
    } u = {value};
    return u.bits;
}

static inline bool fp_is_nan(uint32_t bits)
{
    return (bits & ~FP_SIGN) > FP_INFINITY;
}

static inline bool fp_is_signalling(uint32_t bits)
{
    return fp_is_nan(bits) && !(bits & FP_QUIET);
}

/* With FZ a denormal operand is a zero and IDC is set. */
static inline uint32_t fp_operand(struct cpu *cpu, uint32_t bits)
{
    bool denormal = (bits & FP_INFINITY) == 0 && (bits & ~FP_SIGN) != 0;
    if (!denormal || !(cpu->fpscr & FPSCR_FZ))
        return bits;
    cpu->fpscr |= FPSCR_IDC;
    return bits & FP_SIGN;
}

/* ---- fp_math.c ---- */
uint32_t fp_add(struct cpu *cpu, uint32_t x, uint32_t y);
uint32_t fp_subtract(struct cpu *cpu, uint32_t x, uint32_t y);
uint32_t fp_multiply(struct cpu *cpu, uint32_t x, uint32_t y);
uint32_t fp_quotient(struct cpu *cpu, uint32_t x, uint32_t y);
uint32_t fp_root(struct cpu *cpu, uint32_t x);
uint32_t fp_fma(struct cpu *cpu, uint32_t addend, uint32_t x, uint32_t y);

#endif
