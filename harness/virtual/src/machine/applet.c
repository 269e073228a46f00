/* SPDX-License-Identifier: MIT
 *
 * applet.c -- see applet.h. */
#include "applet.h"

#include "memory.h"

static bool runs_on(const struct cpu *cpu, uint32_t home, uint64_t give_up)
{
    return cpu->pc != home && cpu->cycles < give_up && cpu->fault == FAULT_NONE && !cpu->sleeping &&
           !cpu->locked_up && !cpu->reset_requested;
}

void applet_run(struct cpu *cpu, uint32_t vectors, uint32_t home)
{
    uint64_t give_up = cpu->cycles + APPLET_CYCLES;
    uint32_t sp = 0, pc = 0;
    if (!memory_read(cpu, vectors, 4, &sp) || !memory_read(cpu, vectors + 4, 4, &pc))
        return;
    cpu_reset(cpu, 0);
    cpu->r[SP] = sp & ~3u;
    cpu->r[LR] = home | 1;
    cpu->pc = pc & ~1u;
    cpu->thumb = pc & 1;
    while (runs_on(cpu, home, give_up))
        cpu_step(cpu);
}
