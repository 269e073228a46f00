/* SPDX-License-Identifier: MIT
 *
 * core.h -- what cortexm/ and machine/ ask of a core under one name. This one counts a bracket. */
#ifndef CORE_H
#define CORE_H

#include "cpu.h"

#define CORE_BRACKET true       /* does it count a bracket rather than a number? */

static inline uint64_t core_cycles_hi(const struct cpu *cpu)
{
    return cpu->cycles_hi;
}

/* In a fault handler, or beyond that. */
static inline bool core_faulted(const struct cpu *cpu)
{
    bool faulted = cpu->locked_up;
    for (int number = EXC_HARDFAULT; number <= EXC_USAGEFAULT; number++)
        faulted = faulted || exception_active(cpu, number);
    return faulted;
}

/* Beyond all events. */
static inline bool core_dead(const struct cpu *cpu)
{
    return cpu->locked_up;
}

/* Lets time pass in which no instruction runs. */
static inline void core_pass(struct cpu *cpu, uint64_t cycles)
{
    cpu_pass(cpu, cycles);
}

#endif
