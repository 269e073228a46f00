/* SPDX-License-Identifier: MIT
 *
 * cpu.c -- reset, one instruction, names of faults; the loop around them is cortexm/run.c. */
#include <string.h>

#include "decode.h"
#include "memory.h"

/* Exceptions that need no enabling: NMI, HardFault, SVCall, PendSV, SysTick. */
#define ALWAYS_ENABLED                                                                         \
    ((uint64_t)1 << EXC_NMI | (uint64_t)1 << EXC_HARDFAULT | (uint64_t)1 << EXC_SVCALL |        \
     (uint64_t)1 << EXC_PENDSV | (uint64_t)1 << EXC_SYSTICK)

void cpu_init(struct cpu *cpu, uint8_t *flash, uint8_t *ram)
{
    decode_init();
    memset(cpu, 0, sizeof *cpu);
    cpu->flash = flash;
    cpu->ram = ram;
    cpu->device_at = NEVER;
}

static void reset_state(struct cpu *cpu)
{
    for (unsigned i = 0; i < 15; i++)
        cpu->r[i] = 0;
    cpu->r[LR] = 0xFFFFFFFFu;
    cpu->n = cpu->c = cpu->v = 0;
    cpu->z = 1;
    cpu->other_sp = cpu->ipsr = cpu->scr = 0;
    cpu->primask = cpu->spsel = false;
    cpu->pending = cpu->active = cpu->level = 0;
    cpu->enabled = ALWAYS_ENABLED;
    memset(cpu->priority, 0, sizeof cpu->priority);
    cpu->sleeping = cpu->sleeping_for_event = cpu->event_register = false;
    cpu->locked_up = cpu->reset_requested = false;
    cpu->fault = cpu->access_fault = FAULT_NONE;
    cpu->fault_pc = cpu->fault_address = 0;
    cpu->code = NULL;
    cpu->code_base = cpu->code_size = 0;
    cpu->fetched_word = ~0u;
    memset(&cpu->cache, 0, sizeof cpu->cache);
    memset(cpu->cache.line, 0xFF, sizeof cpu->cache.line);
    systick_reset(cpu);
    cpu_attend(cpu);
}

void cpu_reset(struct cpu *cpu, uint32_t vtor)
{
    uint32_t sp = 0, pc = 0;
    reset_state(cpu);
    cpu->vtor = vtor;
    bool ok = memory_read(cpu, vtor, 4, &sp) && memory_read(cpu, vtor + 4, 4, &pc);
    cpu_take_vectors(cpu, sp, pc, ok);
}

void cpu_execute_one(struct cpu *cpu)
{
    cpu->stop_at = cpu->cycles + 1;
    execute_until(cpu);
}

const char *fault_name(enum fault fault)
{
    static const char *const names[] = {
        [FAULT_NONE] = "none",
        [FAULT_UNDEFINED] = "undefined instruction",
        [FAULT_UNPREDICTABLE] = "unpredictable instruction",
        [FAULT_UNALIGNED] = "unaligned access",
        [FAULT_UNMAPPED] = "access to nothing",
        [FAULT_FETCH] = "execution where no code can be",
        [FAULT_NOT_THUMB] = "branch to an even address",
        [FAULT_BREAKPOINT] = "breakpoint without a debugger",
        [FAULT_SVC_ESCALATED] = "supervisor call while masked",
        [FAULT_EXC_RETURN] = "impossible exception return",
        [FAULT_STACKING] = "stack outside RAM at an exception",
        [FAULT_VECTOR] = "vector table outside memory",
    };
    return names[fault];
}
