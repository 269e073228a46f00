/* SPDX-License-Identifier: MIT
 *
 * dwt.c -- the cycle counter of the DWT (the ARM, section C1.8). The other registers of the debug
 * components (ITM, comparators, FPB) read as zero. */
#include "cpu.h"

#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u

#define CYCCNTENA 1u
#define CTRL_FIXED 0x40000000u          /* four comparators; not modelled */

static bool counts(const struct cpu *cpu)
{
    return cpu->dwt.trace && cpu->dwt.counting;
}

static uint32_t cyccnt(const struct cpu *cpu)
{
    return cpu->dwt.base + (counts(cpu) ? (uint32_t)cpu->cycles : 0);
}

static void set_cyccnt(struct cpu *cpu, uint32_t value)
{
    cpu->dwt.base = value - (counts(cpu) ? (uint32_t)cpu->cycles : 0);
}

void dwt_reset(struct cpu *cpu)
{
    cpu->dwt = (struct dwt){0};
}

void dwt_trace(struct cpu *cpu, bool trace)
{
    uint32_t value = cyccnt(cpu);
    cpu->dwt.trace = trace;
    set_cyccnt(cpu, value);
}

static void set_counting(struct cpu *cpu, bool counting)
{
    uint32_t value = cyccnt(cpu);
    cpu->dwt.counting = counting;
    set_cyccnt(cpu, value);
}

/* Without TRCENA the unit has no clock: it reads as zero and ignores writes. */
uint32_t dwt_read(const struct cpu *cpu, uint32_t address)
{
    if (!cpu->dwt.trace)
        return 0;
    if (address == DWT_CTRL)
        return CTRL_FIXED | (cpu->dwt.counting ? CYCCNTENA : 0);
    return address == DWT_CYCCNT ? cyccnt(cpu) : 0;
}

void dwt_write(struct cpu *cpu, uint32_t address, uint32_t value)
{
    if (!cpu->dwt.trace)
        return;
    if (address == DWT_CTRL)
        set_counting(cpu, value & CYCCNTENA);
    else if (address == DWT_CYCCNT)
        set_cyccnt(cpu, value);
}
