/* SPDX-License-Identifier: MIT
 *
 * fp_convert.c -- conversions between single precision, integers, fixed point and half precision
 * (the ARM, VCVT, VCVTR, VCVTB, VCVTT). */
#include <fenv.h>

#include "fp.h"
#include "wide.h"

/* Should the magnitude be one more? `rest` is what was cut off, 0x80000000 being half a unit. */
static bool rounds_up(const struct cpu *cpu, bool negative, uint32_t kept, uint32_t rest)
{
    switch ((cpu->fpscr & FPSCR_RMODE) >> 22) {
    case 0:
        return rest > 0x80000000u || (rest == 0x80000000u && (kept & 1));
    case 1:
        return rest && !negative;
    case 2:
        return rest && negative;
    default:
        return false;
    }
}

/* The bits below the point of `mantissa` >> `places`; beyond 31, whether there are any. */
static uint32_t cut_off(uint32_t mantissa, unsigned places)
{
    return places < 32 ? mantissa << (32 - places) : mantissa != 0;
}

static uint32_t mantissa_of(uint32_t bits)
{
    return (bits & FP_INFINITY ? FP_LEAST_NORMAL : 0) | (bits & 0x7FFFFF);
}

/* ---- to integers and fixed point ---- */

struct target {
    unsigned bits, fraction_bits;
    bool is_unsigned, truncate;
};

/* The magnitude of a number times 2^fraction_bits, cut off at 2^62. */
static uint64_t scaled(uint32_t bits, const struct target *t, uint32_t *rest)
{
    int exponent = (int)(bits >> 23 & 255), shift = (exponent ? exponent : 1) - 150;
    shift += (int)t->fraction_bits;
    *rest = 0;
    if (shift >= 0)
        return mantissa_of(bits) ? (uint64_t)mantissa_of(bits) << (shift < 38 ? shift : 38) : 0;
    *rest = cut_off(mantissa_of(bits), (unsigned)-shift);
    return shift > -32 ? mantissa_of(bits) >> -shift : 0;
}

/* Out of range saturates and is invalid, not inexact. In integers, for the host's conversions are
 * not agreed on when they are inexact. */
static uint32_t to_fixed(struct cpu *cpu, uint32_t bits, const struct target *t)
{
    bits = fp_operand(cpu, bits);
    if (fp_is_nan(bits)) {
        cpu->fpscr |= FPSCR_IOC;
        return 0;
    }
    bool negative = bits & FP_SIGN;
    uint32_t rest;
    int64_t value = (int64_t)scaled(bits, t, &rest);
    if (!t->truncate)
        value += rounds_up(cpu, negative, (uint32_t)value, rest);
    value = negative ? -value : value;
    int64_t most = (INT64_C(1) << (t->is_unsigned ? t->bits : t->bits - 1)) - 1;
    int64_t least = t->is_unsigned ? 0 : -most - 1;
    if (value > most || value < least) {
        cpu->fpscr |= FPSCR_IOC;
        return (uint32_t)(value < least ? least : most);
    }
    if (rest)
        cpu->fpscr |= FPSCR_IXC;
    return (uint32_t)value;
}

bool fp_to_int(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    const struct target t = {32, 0, !BIT(w, 16), BIT(w, 7)};
    cpu->s[SD(w)] = to_fixed(cpu, cpu->s[SM(w)], &t);
    return true;
}

bool fp_from_int(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t m = cpu->s[SM(w)];
    cpu->s[SD(w)] = fp_bits(BIT(w, 7) ? (float)(int32_t)m : (float)m);
    return true;
}

/* Rounds to nearest whatever FPSCR says. */
static uint32_t from_fixed(struct cpu *cpu, uint32_t bits, const struct target *t)
{
    int64_t value = t->bits == 32 ? (t->is_unsigned ? (int64_t)bits : (int32_t)bits)
                                  : (t->is_unsigned ? (int64_t)(uint16_t)bits : (int16_t)bits);
    volatile double exact = (double)value / (double)(UINT64_C(1) << t->fraction_bits);
    if (!(cpu->fpscr & FPSCR_RMODE))
        return fp_bits((float)exact);
    fesetround(FE_TONEAREST);
    volatile float nearest = (float)exact;
    fp_set_host_rounding(cpu);
    return fp_bits(nearest);
}

bool fp_fixed(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t *d = &cpu->s[SD(w)];
    unsigned bits = BIT(w, 7) ? 32 : 16, whole_bits = RM(w) << 1 | BIT(w, 5);
    const struct target t = {bits, bits - whole_bits, BIT(w, 16), true};
    *d = BIT(w, 18) ? to_fixed(cpu, *d, &t) : from_fixed(cpu, *d, &t);
    return true;
}

/* ---- half precision: FPSCR.AHP has numbers where IEEE has infinities and NaNs ---- */

#define HALF_INFINITY 0x7C00u
#define HALF_QUIET 0x0200u
#define HALF_MOST 0x7FFFu

static uint32_t nan_from_half(struct cpu *cpu, uint32_t half)
{
    if (!(half & HALF_QUIET))
        cpu->fpscr |= FPSCR_IOC;
    if (cpu->fpscr & FPSCR_DN)
        return FP_DEFAULT_NAN;
    return (half & 0x8000) << 16 | FP_DEFAULT_NAN | (half & 0x1FF) << 13;
}

static uint32_t from_half(struct cpu *cpu, uint32_t half)
{
    uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3FF;
    if (exponent == 31 && !(cpu->fpscr & FPSCR_AHP))
        return fraction ? nan_from_half(cpu, half) : sign | FP_INFINITY;
    if (exponent)
        return sign | (exponent + 127 - 15) << 23 | fraction << 13;
    return sign | fp_bits((float)fraction * 0x1p-24f);      /* exact */
}

static uint32_t half_overflow(struct cpu *cpu, bool negative)
{
    if (cpu->fpscr & FPSCR_AHP) {
        cpu->fpscr |= FPSCR_IOC;
        return HALF_MOST;
    }
    cpu->fpscr |= FPSCR_OFC | FPSCR_IXC;
    return rounds_up(cpu, negative, 1, 0x80000000u) ? HALF_INFINITY : HALF_INFINITY - 1;
}

/* A finite number; the sign is added by the caller. */
static uint32_t half_magnitude(struct cpu *cpu, uint32_t bits)
{
    int exponent = (int)(bits >> 23 & 255) - 127 + 15;      /* of a normal half, 1..30 */
    bool denormal = exponent < 1, negative = bits & FP_SIGN;
    unsigned cut = 13 + (denormal ? (unsigned)(1 - exponent) : 0);
    uint32_t kept = cut < 32 ? mantissa_of(bits) >> cut : 0, rest = cut_off(mantissa_of(bits), cut);
    uint32_t half = denormal ? kept : (uint32_t)exponent << 10 | (kept & 0x3FF);
    if (!denormal && exponent > (cpu->fpscr & FPSCR_AHP ? 31 : 30))
        return half_overflow(cpu, negative);
    half += rounds_up(cpu, negative, kept, rest);
    if (half >= (cpu->fpscr & FPSCR_AHP ? 0x8000u : HALF_INFINITY))
        return half_overflow(cpu, negative);
    if (rest)
        cpu->fpscr |= denormal ? FPSCR_UFC | FPSCR_IXC : FPSCR_IXC;
    return half;
}

static uint32_t nan_to_half(struct cpu *cpu, uint32_t bits)
{
    uint32_t sign = bits >> 16 & 0x8000;
    if (fp_is_signalling(bits) || (cpu->fpscr & FPSCR_AHP))
        cpu->fpscr |= FPSCR_IOC;
    if (cpu->fpscr & FPSCR_AHP)
        return sign;
    if (cpu->fpscr & FPSCR_DN)
        return HALF_INFINITY | HALF_QUIET;
    return sign | HALF_INFINITY | HALF_QUIET | (bits >> 13 & 0x1FF);
}

static uint32_t to_half(struct cpu *cpu, uint32_t bits)
{
    uint32_t sign = bits >> 16 & 0x8000;
    bits = fp_operand(cpu, bits);
    if (fp_is_nan(bits))
        return nan_to_half(cpu, bits);
    if ((bits & ~FP_SIGN) != FP_INFINITY)
        return sign | half_magnitude(cpu, bits);
    if (!(cpu->fpscr & FPSCR_AHP))
        return sign | HALF_INFINITY;
    cpu->fpscr |= FPSCR_IOC;
    return sign | HALF_MOST;
}

/* VCVTB, VCVTT: bit 7 chooses the upper half, bit 16 the direction. */
bool fp_half(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t *d = &cpu->s[SD(w)], m = cpu->s[SM(w)];
    unsigned shift = BIT(w, 7) ? 16 : 0;
    if (BIT(w, 16))
        *d = (*d & ~(0xFFFFu << shift)) | to_half(cpu, m) << shift;
    else
        *d = from_half(cpu, m >> shift & 0xFFFF);
    return true;
}
