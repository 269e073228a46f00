/* SPDX-License-Identifier: MIT
 *
 * core.h -- what cortexm/ and machine/ ask of a core under one name. This one counts cycles exactly. */
#ifndef CORE_H
#define CORE_H

#include "cpu.h"

#define CORE_BRACKET false      /* does it count a bracket rather than a number? */

static inline uint64_t core_cycles_hi(const struct cpu *cpu)
{
    return cpu->cycles;
}

/* In a fault handler, or beyond that. */
static inline bool core_faulted(const struct cpu *cpu)
{
    return cpu->locked_up || (cpu->active >> EXC_HARDFAULT & 1);
}

/* Beyond all events. Here they are served in lockup, too. */
static inline bool core_dead(const struct cpu *cpu)
{
    (void)cpu;
    return false;
}

/* Lets time pass in which no instruction runs. */
static inline void core_pass(struct cpu *cpu, uint64_t cycles)
{
    cpu->cycles += cycles;
}

#endif
