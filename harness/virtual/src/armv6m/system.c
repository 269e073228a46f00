/* SPDX-License-Identifier: MIT
 *
 * system.c -- the special registers behind MRS and MSR (the ARM, sections B4.2 and B5.1). The SAM
 * D21's core has no unprivileged mode, so CONTROL.nPRIV is zero. */
#include "cpu.h"

enum {
    SYSM_APSR = 0, SYSM_XPSR = 3, SYSM_IPSR = 5, SYSM_IEPSR = 7,
    SYSM_MSP = 8, SYSM_PSP = 9, SYSM_PRIMASK = 16, SYSM_CONTROL = 20
};

#define CONTROL_SPSEL 2u
#define XPSR_FLAGS 0xF0000000u

uint32_t cpu_xpsr(const struct cpu *cpu)
{
    return (cpu->n & 0x80000000u) | (cpu->z == 0 ? 1u << 30 : 0) | cpu->c << 29 |
           (cpu->v >> 31) << 28 | (cpu->thumb ? 1u << 24 : 0) | cpu->ipsr;
}

void cpu_set_xpsr_flags(struct cpu *cpu, uint32_t xpsr)
{
    cpu->n = xpsr;
    cpu->z = ~xpsr & (1u << 30);
    cpu->c = xpsr >> 29 & 1;
    cpu->v = xpsr << 3;
}

/* The execution bits of xPSR read as zero (the ARM, section B5.1.1). */
static uint32_t read_xpsr(const struct cpu *cpu, unsigned sysm)
{
    uint32_t value = 0;
    if (!(sysm & 4))
        value |= cpu_xpsr(cpu) & XPSR_FLAGS;
    if (sysm & 1)
        value |= cpu->ipsr;
    return value;
}

bool system_mrs(const struct cpu *cpu, unsigned sysm, uint32_t *value)
{
    switch (sysm) {
    case SYSM_MSP:
    case SYSM_PSP:
        *value = cpu->spsel == (sysm == SYSM_PSP) ? cpu->r[SP] : cpu->other_sp;
        return true;
    case SYSM_PRIMASK:
        *value = cpu->primask;
        return true;
    case SYSM_CONTROL:
        *value = cpu->spsel ? CONTROL_SPSEL : 0;
        return true;
    default:
        if (sysm > SYSM_IEPSR || sysm == 4)
            return false;
        *value = read_xpsr(cpu, sysm);
        return true;
    }
}

static void write_sp(struct cpu *cpu, bool psp, uint32_t value)
{
    if (cpu->spsel != psp) {
        cpu->other_sp = value & ~3u;
        return;
    }
    cpu->r[SP] = value & ~3u;
    if (cpu->r[SP] < cpu->min_sp)
        cpu->min_sp = cpu->r[SP];
}

bool system_msr(struct cpu *cpu, unsigned sysm, uint32_t value)
{
    switch (sysm) {
    case SYSM_MSP:
    case SYSM_PSP:
        write_sp(cpu, sysm == SYSM_PSP, value);
        return true;
    case SYSM_PRIMASK:
        cpu->primask = value & 1;
        cpu_attend(cpu);
        return true;
    case SYSM_CONTROL:
        if (cpu->ipsr == 0)
            exception_use_psp(cpu, value & CONTROL_SPSEL);
        return true;
    default:
        if (sysm <= SYSM_XPSR)
            cpu_set_xpsr_flags(cpu, value);
        return sysm <= SYSM_IEPSR && sysm != 4;
    }
}
