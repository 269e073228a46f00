/* SPDX-License-Identifier: MIT
 *
 * fp_data.c -- the arithmetic instructions of the FPU (the ARM, section A6.4). */
#include "fp.h"
#include "wide.h"

static uint32_t negated(uint32_t bits, bool negate)
{
    return negate ? bits ^ FP_SIGN : bits;
}

/* VMUL, VNMUL, VADD, VSUB: bit 20 chooses the sums, bit 6 the second of each. */
bool fp_arithmetic(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t n = cpu->s[SN(w)], m = cpu->s[SM(w)], *d = &cpu->s[SD(w)];
    if (!BIT(w, 20))
        *d = negated(fp_multiply(cpu, n, m), BIT(w, 6));
    else
        *d = BIT(w, 6) ? fp_subtract(cpu, n, m) : fp_add(cpu, n, m);
    return true;
}

bool fp_divide(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    cpu->s[SD(w)] = fp_quotient(cpu, cpu->s[SN(w)], cpu->s[SM(w)]);
    return true;
}

bool fp_sqrt(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    cpu->s[SD(w)] = fp_root(cpu, cpu->s[SM(w)]);
    return true;
}

/* VMLA, VMLS, VNMLS, VNMLA: bit 20 negates the addend, bit 6 the product, which is rounded. */
bool fp_multiply_add(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t *d = &cpu->s[SD(w)];
    uint32_t product = negated(fp_multiply(cpu, cpu->s[SN(w)], cpu->s[SM(w)]), BIT(w, 6));
    *d = fp_add(cpu, negated(*d, BIT(w, 20)), product);
    return true;
}

/* VFMA, VFMS, VFNMS, VFNMA: the same with one rounding, bit 6 negating the first factor. */
bool fp_fused(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t *d = &cpu->s[SD(w)], n = negated(cpu->s[SN(w)], BIT(w, 6));
    *d = fp_fma(cpu, negated(*d, BIT(w, 20)), n, cpu->s[SM(w)]);
    return true;
}

/* VMOV, VABS, VNEG: of the bits, without exceptions. */
bool fp_unary(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t m = cpu->s[SM(w)];
    bool negate = BIT(w, 16), absolute = BIT(w, 7);
    cpu->s[SD(w)] = negate ? m ^ FP_SIGN : absolute ? m & ~FP_SIGN : m;
    return true;
}

/* ---- VCMP, VCMPE ---- */

#define UNORDERED 0x30000000u
#define EQUAL 0x60000000u
#define LESS 0x80000000u
#define GREATER 0x20000000u

static uint32_t compared(struct cpu *cpu, uint32_t x, uint32_t y, bool quiet_nans_signal)
{
    x = fp_operand(cpu, x);
    y = fp_operand(cpu, y);
    if (fp_is_nan(x) || fp_is_nan(y)) {
        if (quiet_nans_signal || fp_is_signalling(x) || fp_is_signalling(y))
            cpu->fpscr |= FPSCR_IOC;
        return UNORDERED;
    }
    float a = fp_float(x), b = fp_float(y);
    return a < b ? LESS : a > b ? GREATER : EQUAL;
}

bool fp_compare(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    bool with_zero = BIT(w, 16);
    uint32_t m = with_zero ? 0 : cpu->s[SM(w)];
    uint32_t flags = compared(cpu, cpu->s[SD(w)], m, BIT(w, 7));
    cpu->fpscr = (cpu->fpscr & 0x0FFFFFFFu) | flags;
    return true;
}
