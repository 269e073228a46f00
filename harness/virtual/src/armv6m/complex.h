/* SPDX-License-Identifier: MIT
 *
 * complex.h -- the instructions that are more than one access or one sum: multiple loads and stores,
 * interworking branches, waiting, and the 32-bit encodings. Each adds its own cycles.
 *
 * Where a function returns false nothing has changed but memory, and access_fault says why. */
#ifndef COMPLEX_H
#define COMPLEX_H

#include "cpu.h"

bool push(struct cpu *cpu, unsigned halfword);
bool pop(struct cpu *cpu, unsigned halfword);
bool store_multiple(struct cpu *cpu, unsigned halfword);
bool load_multiple(struct cpu *cpu, unsigned halfword);

/* BX, BLX, POP {PC}: bit 0 chooses the instruction set; EXC_RETURN in Handler mode returns. */
void write_pc(struct cpu *cpu, uint32_t target, bool may_return);

void change_primask(struct cpu *cpu, bool primask);
void wait_for_interrupt(struct cpu *cpu);
void wait_for_event(struct cpu *cpu);

/* BL, MSR, MRS, barriers (the ARM, section A5.3). FAULT_NONE when done. */
enum fault wide(struct cpu *cpu, uint32_t pc, unsigned first, unsigned second);

/* Bits 1:0 of the stack pointer are always zero (the ARM, section B1.4.4). */
static inline void set_sp(struct cpu *cpu, uint32_t value)
{
    value &= ~3u;
    cpu->r[SP] = value;
    if (value < cpu->min_sp)
        cpu->min_sp = value;
}

#endif
