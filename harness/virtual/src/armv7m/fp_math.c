/* SPDX-License-Identifier: MIT
 *
 * fp_math.c -- the sums, products, quotients and roots of the host as those of the guest: NaNs,
 * flush to zero, and underflow, which the ARM detects before rounding (the ARM, section A2.5). */
#include <fenv.h>
#include <math.h>

#include "fp.h"
#include "memory.h"

/* ---- the host's environment ---- */

void fp_set_host_rounding(const struct cpu *cpu)
{
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    fesetround(modes[(cpu->fpscr & FPSCR_RMODE) >> 22]);
}

static bool is_enabled(const struct cpu *cpu)
{
    uint32_t access = cpu->cpacr >> 20 & 3;
    return access == 3 || (access == 1 && cpu_privileged(cpu));
}

/* The first floating-point instruction of a context starts with the defaults (the ARM, B1.5.7). */
bool fp_enter(struct cpu *cpu)
{
    const uint32_t aspen = 1u << 31, defaults = FPSCR_AHP | FPSCR_DN | FPSCR_FZ | FPSCR_RMODE;
    if (!is_enabled(cpu))
        return refuse(cpu, FAULT_NO_COPROCESSOR, cpu->pc - 4);
    if ((cpu->fpccr & aspen) && !cpu->fpca) {
        cpu->fpscr = (cpu->fpscr & ~defaults) | (cpu->fpdscr & defaults);
        cpu->fpca = true;
    }
    feclearexcept(FE_ALL_EXCEPT);
    fp_set_host_rounding(cpu);
    cpu->fp_live = true;
    return true;
}

void fp_collect(struct cpu *cpu)
{
    int raised = fetestexcept(FE_ALL_EXCEPT);
    cpu->fpscr |= (raised & FE_INVALID ? FPSCR_IOC : 0) | (raised & FE_DIVBYZERO ? FPSCR_DZC : 0) |
                  (raised & FE_OVERFLOW ? FPSCR_OFC : 0) |
                  (raised & FE_UNDERFLOW ? FPSCR_UFC : 0) | (raised & FE_INEXACT ? FPSCR_IXC : 0);
    feclearexcept(FE_ALL_EXCEPT);
}

void fp_settle(struct cpu *cpu)
{
    fp_collect(cpu);
    fesetround(FE_TONEAREST);
    cpu->fp_live = false;
}

/* ---- NaNs ---- */

static uint32_t nan_result(struct cpu *cpu, uint32_t nan)
{
    if (!(nan & FP_QUIET))
        cpu->fpscr |= FPSCR_IOC;
    return cpu->fpscr & FPSCR_DN ? FP_DEFAULT_NAN : nan | FP_QUIET;
}

/* The first signalling NaN, else the first quiet one; there is one. */
static uint32_t choose_nan(struct cpu *cpu, const uint32_t *operands, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fp_is_signalling(operands[i]))
            return nan_result(cpu, operands[i]);
    for (unsigned i = 0; i < count; i++)
        if (fp_is_nan(operands[i]))
            return nan_result(cpu, operands[i]);
    return FP_DEFAULT_NAN;
}

/* ---- results ---- */

enum op { ADD, SUBTRACT, MULTIPLY, DIVIDE, ROOT, FUSED };

static inline float compute(enum op op, float x, float y, float z)
{
    switch (op) {
    case ADD:
        return x + y;
    case SUBTRACT:
        return x - y;
    case MULTIPLY:
        return x * y;
    case DIVIDE:
        return x / y;
    case ROOT:
        return sqrtf(x);
    default:
        return fmaf(y, z, x);
    }
}

/* Again, truncating. The volatiles keep the compiler from reusing the result it has, and from
 * moving the operation past the changes of mode. */
static float compute_truncating(struct cpu *cpu, enum op op, const float operands[3])
{
    volatile float x = operands[0], y = operands[1], z = operands[2], result;
    fesetround(FE_TOWARDZERO);
    result = compute(op, x, y, z);
    fp_set_host_rounding(cpu);
    return result;
}

static bool is_tiny(float value, bool inexact)
{
    uint32_t size = fp_bits(value) & ~FP_SIGN;
    return size < FP_LEAST_NORMAL && (size || inexact);
}

/* With FZ: a result that is tiny before rounding is a zero and sets UFC, but not IXC. */
static bool flushes(struct cpu *cpu, enum op op, const float operands[3], uint32_t *result)
{
    fp_collect(cpu);
    float truncated = compute_truncating(cpu, op, operands);
    bool tiny = is_tiny(truncated, fetestexcept(FE_INEXACT));
    feclearexcept(FE_ALL_EXCEPT);
    if (tiny) {
        cpu->fpscr |= FPSCR_UFC;
        *result = fp_bits(truncated) & FP_SIGN;
    }
    return tiny;
}

/* For operands without NaN. A result that has been rounded up to the least normal number was tiny
 * before: truncating it makes the host say so. */
static inline uint32_t operate(struct cpu *cpu, enum op op, uint32_t x, uint32_t y, uint32_t z)
{
    const float operands[3] = {fp_float(x), fp_float(y), fp_float(z)};
    uint32_t result;
    if (__builtin_expect((cpu->fpscr & FPSCR_FZ) != 0, 0) && flushes(cpu, op, operands, &result))
        return result;
    result = fp_bits(compute(op, operands[0], operands[1], operands[2]));
    if (__builtin_expect(fp_is_nan(result), 0))
        return FP_DEFAULT_NAN;
    if (__builtin_expect((result & ~FP_SIGN) == FP_LEAST_NORMAL, 0))
        compute_truncating(cpu, op, operands);
    return result;
}

static inline uint32_t binary(struct cpu *cpu, enum op op, uint32_t x, uint32_t y)
{
    const uint32_t operands[] = {fp_operand(cpu, x), fp_operand(cpu, y)};
    if (__builtin_expect(fp_is_nan(x) || fp_is_nan(y), 0))
        return choose_nan(cpu, operands, 2);
    return operate(cpu, op, operands[0], operands[1], 0);
}

/* Not inlined, so that a product and a sum are never fused by the compiler. */
__attribute__((noinline)) uint32_t fp_add(struct cpu *cpu, uint32_t x, uint32_t y)
{
    return binary(cpu, ADD, x, y);
}

__attribute__((noinline)) uint32_t fp_subtract(struct cpu *cpu, uint32_t x, uint32_t y)
{
    return binary(cpu, SUBTRACT, x, y);
}

__attribute__((noinline)) uint32_t fp_multiply(struct cpu *cpu, uint32_t x, uint32_t y)
{
    return binary(cpu, MULTIPLY, x, y);
}

uint32_t fp_quotient(struct cpu *cpu, uint32_t x, uint32_t y)
{
    return binary(cpu, DIVIDE, x, y);
}

uint32_t fp_root(struct cpu *cpu, uint32_t x)
{
    x = fp_operand(cpu, x);
    return fp_is_nan(x) ? choose_nan(cpu, &x, 1) : operate(cpu, ROOT, x, 0, 0);
}

static bool is_infinity_by_zero(uint32_t x, uint32_t y)
{
    x &= ~FP_SIGN;
    y &= ~FP_SIGN;
    return (x == FP_INFINITY && !y) || (!x && y == FP_INFINITY);
}

uint32_t fp_fma(struct cpu *cpu, uint32_t addend, uint32_t x, uint32_t y)
{
    const uint32_t operands[] = {fp_operand(cpu, addend), fp_operand(cpu, x), fp_operand(cpu, y)};
    if (__builtin_expect(fp_is_nan(addend) || fp_is_nan(x) || fp_is_nan(y), 0)) {
        if (fp_is_nan(addend) && !fp_is_signalling(addend) &&
            is_infinity_by_zero(operands[1], operands[2])) {
            cpu->fpscr |= FPSCR_IOC;
            return FP_DEFAULT_NAN;
        }
        return choose_nan(cpu, operands, 3);
    }
    return operate(cpu, FUSED, operands[0], operands[1], operands[2]);
}
