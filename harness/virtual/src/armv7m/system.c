/* SPDX-License-Identifier: MIT
 *
 * system.c -- the special registers behind MRS and MSR (the ARM, sections B1.4 and B5.2).
 * Unprivileged code reads all but xPSR and CONTROL as zero and writes only the flags. */
#include "fp.h"
#include "wide.h"

enum {
    SYSM_XPSR = 3, SYSM_IPSR = 5, SYSM_IEPSR = 7, SYSM_MSP = 8, SYSM_PSP = 9, SYSM_PRIMASK = 16,
    SYSM_BASEPRI = 17, SYSM_BASEPRI_MAX = 18, SYSM_FAULTMASK = 19, SYSM_CONTROL = 20
};

#define CONTROL_NPRIV 1u
#define CONTROL_SPSEL 2u
#define CONTROL_FPCA 4u
#define MASK_FLAGS 2u           /* of MSR: NZCVQ */
#define MASK_GE 1u
#define XPSR_FLAGS 0xF8000000u
#define XPSR_GE 0x000F0000u

static uint32_t flags(const struct cpu *cpu)
{
    return (cpu->n & 0x80000000u) | (cpu->z == 0 ? 1u << 30 : 0) | cpu->c << 29 |
           (cpu->v >> 31) << 28 | (uint32_t)cpu->q << 27 | cpu->ge << 16;
}

static void set_flags(struct cpu *cpu, uint32_t xpsr)
{
    cpu->n = xpsr;
    cpu->z = ~xpsr & (1u << 30);
    cpu->c = xpsr >> 29 & 1;
    cpu->v = xpsr << 3;
    cpu->q = xpsr >> 27 & 1;
}

static void set_ge(struct cpu *cpu, uint32_t xpsr)
{
    if (cpu->config.has_dsp)
        cpu->ge = xpsr >> 16 & 15;
}

/* ITSTATE is split: bits 7:2 are xPSR 15:10, bits 1:0 are xPSR 26:25. */
uint32_t cpu_xpsr(const struct cpu *cpu)
{
    return flags(cpu) | (cpu->itstate & 3) << 25 | (cpu->itstate >> 2) << 10 |
           (cpu->thumb ? 1u << 24 : 0) | cpu->ipsr;
}

void cpu_set_xpsr(struct cpu *cpu, uint32_t xpsr)
{
    set_flags(cpu, xpsr);
    set_ge(cpu, xpsr);
    cpu->itstate = (xpsr >> 25 & 3) | (xpsr >> 8 & 0xFC);
}

/* ---- MRS ---- */

/* The execution bits read as zero. */
static uint32_t read_xpsr(const struct cpu *cpu, unsigned sysm)
{
    uint32_t value = sysm & 4 ? 0 : flags(cpu) & (XPSR_FLAGS | XPSR_GE);
    return sysm & 1 ? value | (cpu_privileged(cpu) ? cpu->ipsr : 0) : value;
}

static uint32_t read_control(const struct cpu *cpu)
{
    return (cpu->npriv ? CONTROL_NPRIV : 0) | (cpu->spsel ? CONTROL_SPSEL : 0) |
           (cpu->fpca ? CONTROL_FPCA : 0);
}

static uint32_t read_privileged(const struct cpu *cpu, unsigned sysm)
{
    switch (sysm) {
    case SYSM_MSP:
    case SYSM_PSP:
        return cpu->spsel == (sysm == SYSM_PSP) ? cpu->r[SP] : cpu->other_sp;
    case SYSM_PRIMASK:
        return cpu->primask;
    case SYSM_FAULTMASK:
        return cpu->faultmask;
    default:
        return cpu->basepri;
    }
}

static bool exists(unsigned sysm)
{
    return (sysm <= SYSM_IEPSR && sysm != 4) || sysm == SYSM_MSP || sysm == SYSM_PSP ||
           (sysm >= SYSM_PRIMASK && sysm <= SYSM_CONTROL);
}

bool system_mrs(const struct cpu *cpu, unsigned sysm, uint32_t *value)
{
    if (!exists(sysm))
        return false;
    if (sysm <= SYSM_IEPSR)
        *value = read_xpsr(cpu, sysm);
    else if (sysm == SYSM_CONTROL)
        *value = read_control(cpu);
    else
        *value = cpu_privileged(cpu) ? read_privileged(cpu, sysm) : 0;
    return true;
}

/* ---- MSR ---- */

static void write_sp(struct cpu *cpu, bool psp, uint32_t value)
{
    if (cpu->spsel != psp)
        cpu->other_sp = value & ~3u;
    else
        set_sp(cpu, value);
}

static void write_control(struct cpu *cpu, uint32_t value)
{
    cpu->npriv = value & CONTROL_NPRIV;
    if (cpu->ipsr == 0)
        exception_use_psp(cpu, value & CONTROL_SPSEL);
    fp_leave(cpu);
    cpu->fpca = cpu->config.has_fpu && (value & CONTROL_FPCA);
}

static void write_basepri(struct cpu *cpu, unsigned sysm, uint32_t value)
{
    value &= 0xFF00u >> cpu->config.priority_bits & 0xFF;
    bool raises = value && (value < cpu->basepri || !cpu->basepri);
    if (sysm == SYSM_BASEPRI || raises)
        cpu->basepri = value;
}

static void write_privileged(struct cpu *cpu, unsigned sysm, uint32_t value)
{
    switch (sysm) {
    case SYSM_MSP:
    case SYSM_PSP:
        write_sp(cpu, sysm == SYSM_PSP, value);
        break;
    case SYSM_PRIMASK:
        cpu->primask = value & 1;
        break;
    case SYSM_FAULTMASK:
        if (!(value & 1) || exception_execution_priority(cpu, false) > -1)
            cpu->faultmask = value & 1;
        break;
    case SYSM_CONTROL:
        write_control(cpu, value);
        break;
    default:
        write_basepri(cpu, sysm, value);
        break;
    }
    cpu_attend(cpu);
}

bool system_msr(struct cpu *cpu, unsigned sysm, unsigned mask, uint32_t value)
{
    if (!exists(sysm))
        return false;
    if (sysm <= SYSM_XPSR) {
        if (mask & MASK_FLAGS)
            set_flags(cpu, value);
        if (mask & MASK_GE)
            set_ge(cpu, value);
    } else if (sysm > SYSM_IEPSR && cpu_privileged(cpu)) {
        write_privileged(cpu, sysm, value);
    }
    return true;
}
