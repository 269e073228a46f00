/* SPDX-License-Identifier: MIT
 *
 * branch.c -- branches, conditions, hints, barriers and the special registers' instructions (the
 * ARM, section A5.3.4). */
#include "alu.h"
#include "fp.h"
#include "memory.h"
#include "timing.h"
#include "wide.h"

/* ---- conditions ---- */

bool condition_holds(const struct cpu *cpu, unsigned condition)
{
    bool holds;
    switch (condition >> 1) {
    case 0:
        holds = cpu->z == 0;
        break;
    case 1:
        holds = cpu->c;
        break;
    case 2:
        holds = cpu->n >> 31;
        break;
    case 3:
        holds = cpu->v >> 31;
        break;
    case 4:
        holds = cpu->c && cpu->z != 0;
        break;
    case 5:
        holds = !condition_signed_less(cpu);
        break;
    case 6:
        holds = cpu->z != 0 && !condition_signed_less(cpu);
        break;
    default:
        return true;
    }
    return holds != (condition & 1);
}

/* ---- branches ---- */

void branch_exchange(struct cpu *cpu, uint32_t target)
{
    cpu->pc = target & ~1u;
    if (!(target & 1)) {
        cpu->thumb = false;
        cpu_attend(cpu);
    }
}

void write_pc(struct cpu *cpu, uint32_t target)
{
    if (cpu->ipsr && target >= 0xF0000000u)
        exception_return(cpu, target);
    else
        branch_exchange(cpu, target);
}

static uint32_t long_offset(const struct wide *w)       /* BL, B: 25 bits */
{
    uint32_t s = BIT(w, 26), i1 = ~(BIT(w, 13) ^ s) & 1, i2 = ~(BIT(w, 11) ^ s) & 1;
    return (s ? 0xFF000000u : 0) | i1 << 23 | i2 << 22 | (w->word >> 16 & 0x3FF) << 12 |
           (w->word & 0x7FF) << 1;
}

static uint32_t short_offset(const struct wide *w)      /* B<cond>: 21 bits */
{
    return (BIT(w, 26) ? 0xFFF00000u : 0) | BIT(w, 11) << 19 | BIT(w, 13) << 18 |
           (w->word >> 16 & 0x3F) << 12 | (w->word & 0x7FF) << 1;
}

bool branch(struct cpu *cpu, const struct wide *w)
{
    cpu->pc += long_offset(w);
    return true;
}

bool branch_link(struct cpu *cpu, const struct wide *w)
{
    cpu->r[LR] = cpu->pc | 1;
    cpu->pc += long_offset(w);
    return true;
}

bool branch_if(struct cpu *cpu, const struct wide *w)
{
    if (condition_holds(cpu, w->word >> 22 & 15)) {
        cpu->pc += short_offset(w);
        cpu->cycles += LO_BRANCH - LO_NO_BRANCH;
        cpu->cycles_hi += HI_BRANCH - HI_NO_BRANCH;
    }
    return true;
}

/* ---- waiting ---- */

void wait_for_interrupt(struct cpu *cpu)
{
    cpu->sleeping = true;
    cpu->sleeping_for_event = false;
    cpu_attend(cpu);
}

void wait_for_event(struct cpu *cpu)
{
    if (cpu->event_register) {
        cpu->event_register = false;
        return;
    }
    cpu->sleeping = cpu->sleeping_for_event = true;
    cpu_attend(cpu);
}

/* Hints that mean nothing here, and those without a name, do nothing. */
bool hint(struct cpu *cpu, const struct wide *w)
{
    enum { WFE = 2, WFI = 3, SEV = 4 };
    unsigned which = w->word & 0xFF;
    if (which == WFE)
        wait_for_event(cpu);
    else if (which == WFI)
        wait_for_interrupt(cpu);
    else if (which == SEV)
        cpu->event_register = true;
    return true;
}

/* DMB, DSB, ISB: memory is always in order, so there is nothing to wait for. */
bool barrier(struct cpu *cpu, const struct wide *w)
{
    (void)cpu, (void)w;
    return true;
}

bool clrex(struct cpu *cpu, const struct wide *w)
{
    (void)w;
    cpu->exclusive = false;
    return true;
}

/* ---- special registers ---- */

/* CPS: bit 4 sets, bit 1 PRIMASK, bit 0 FAULTMASK; ignored when unprivileged. */
void change_masks(struct cpu *cpu, unsigned halfword)
{
    bool mask = halfword & 0x10;
    if (!cpu_privileged(cpu))
        return;
    if (halfword & 2)
        cpu->primask = mask;
    if ((halfword & 1) && (!mask || exception_execution_priority(cpu, false) > -1))
        cpu->faultmask = mask;
    cpu_attend(cpu);
}

bool move_to_special(struct cpu *cpu, const struct wide *w)
{
    unsigned mask = w->word >> 10 & 3;
    bool ge_without_dsp = (mask & 1) && !cpu->config.has_dsp;
    if (ge_without_dsp || !system_msr(cpu, w->word & 0xFF, mask, cpu->r[RN(w)]))
        return refuse(cpu, FAULT_UNPREDICTABLE, cpu->pc - 4);
    return true;
}

bool move_from_special(struct cpu *cpu, const struct wide *w)
{
    if (!system_mrs(cpu, w->word & 0xFF, &cpu->r[RD(w)]))
        return refuse(cpu, FAULT_UNPREDICTABLE, cpu->pc - 4);
    return true;
}

bool no_coprocessor(struct cpu *cpu, const struct wide *w)
{
    (void)w;
    return refuse(cpu, FAULT_NO_COPROCESSOR, cpu->pc - 4);
}
