/* SPDX-License-Identifier: MIT
 *
 * systick.c -- the 24-bit timer of the core (ARM DDI 0403 and 0419, section B3.3), exact to the
 * cycle.
 *
 * It is not ticked: its value is worked out from the cycles since the last write. Counting down
 * from `value`, it reaches 0 after `value` cycles, and again every reload + 1 cycles; each time it
 * gets from 1 to 0 it sets COUNTFLAG and, with TICKINT, pends the interrupt. */
#include "cpu.h"

#define CSR 0xE000E010u
#define RVR 0xE000E014u
#define CVR 0xE000E018u
#define CALIB 0xE000E01Cu

#define ENABLE 1u
#define TICKINT 2u
#define CLKSOURCE 4u            /* no reference clock: reads as one */
#define COUNTFLAG (1u << 16)
#define NOREF (1u << 31)
#define MASK_24 0xFFFFFFu

static uint64_t elapsed(const struct cpu *cpu)
{
    return cpu->systick.control & ENABLE ? cpu->cycles - cpu->systick.since : 0;
}

uint32_t systick_value(const struct cpu *cpu)
{
    const struct systick *t = &cpu->systick;
    uint64_t gone = elapsed(cpu), period = (uint64_t)t->reload + 1;
    if (gone <= t->value)
        return t->value - (uint32_t)gone;
    uint64_t phase = (gone - t->value) % period;
    return phase ? (uint32_t)(period - phase) : 0;
}

/* Cycles from `since` to the first time it gets from 1 to 0; 0 if it never does. */
static uint64_t first_zero(const struct systick *t)
{
    if (t->value)
        return t->value;
    return t->reload ? (uint64_t)t->reload + 1 : 0;
}

static bool has_wrapped(const struct cpu *cpu)
{
    uint64_t first = first_zero(&cpu->systick);
    return cpu->systick.wrapped || (first && elapsed(cpu) >= first);
}

/* Start counting afresh from here, before a register changes. */
static void settle(struct cpu *cpu)
{
    struct systick *t = &cpu->systick;
    uint32_t value = systick_value(cpu);
    t->wrapped = has_wrapped(cpu);
    t->value = value;
    t->since = cpu->cycles;
}

/* The first zero after now. */
static void schedule(struct cpu *cpu)
{
    const struct systick *t = &cpu->systick;
    uint64_t first = first_zero(t), period = (uint64_t)t->reload + 1, gone = elapsed(cpu);
    cpu->systick_at = NEVER;
    if ((t->control & (ENABLE | TICKINT)) != (ENABLE | TICKINT) || !first)
        return;
    if (gone < first)
        cpu->systick_at = t->since + first;
    else if (t->reload)
        cpu->systick_at = t->since + first + ((gone - first) / period + 1) * period;
}

void systick_reset(struct cpu *cpu)
{
    cpu->systick = (struct systick){.control = CLKSOURCE, .since = cpu->cycles};
    cpu->systick_at = NEVER;
}

void systick_service(struct cpu *cpu)
{
    if (cpu->cycles < cpu->systick_at)
        return;
    exception_pend(cpu, EXC_SYSTICK);
    schedule(cpu);
}

bool systick_read(struct cpu *cpu, uint32_t address, uint32_t *value)
{
    switch (address) {
    case CSR:
        *value = cpu->systick.control | (has_wrapped(cpu) ? COUNTFLAG : 0);
        settle(cpu);
        cpu->systick.wrapped = false;
        return true;
    case RVR:
        *value = cpu->systick.reload;
        return true;
    case CVR:
        *value = systick_value(cpu);
        return true;
    case CALIB:
        *value = NOREF;
        return true;
    default:
        return false;
    }
}

bool systick_write(struct cpu *cpu, uint32_t address, uint32_t value)
{
    struct systick *t = &cpu->systick;
    if (address < CSR || address > CALIB)
        return false;
    settle(cpu);
    switch (address) {
    case CSR:
        t->control = (value & (ENABLE | TICKINT)) | CLKSOURCE;
        break;
    case RVR:
        t->reload = value & MASK_24;
        break;
    case CVR:
        t->value = 0;
        t->wrapped = false;
        break;
    default:
        break;
    }
    schedule(cpu);
    cpu->stop_at = 0;
    return true;
}
