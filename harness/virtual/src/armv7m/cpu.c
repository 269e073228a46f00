/* SPDX-License-Identifier: MIT
 *
 * cpu.c -- reset, one instruction, names of faults; the loop around them is cortexm/run.c. */
#include "cpu.h"

#include <string.h>

#include "decode.h"
#include "fp.h"
#include "memory.h"

/* Exceptions that need no enabling in the NVIC: all below the interrupts. */
#define ALWAYS_ENABLED 0xFFFFu
#define CCR_STKALIGN 0x200u
#define FPCCR_RESET 0xC0000000u         /* ASPEN, LSPEN */

void cpu_init(struct cpu *cpu, const struct cpu_config *config)
{
    decode_init();
    memset(cpu, 0, sizeof *cpu);
    cpu->config = *config;
    for (unsigned i = config->n_memories; i-- > 0;)
        if (config->memory[i].writable)
            cpu->ram = config->memory[i];
    cpu->device_at = NEVER;
}

static void reset_registers(struct cpu *cpu)
{
    memset(cpu->r, 0, sizeof cpu->r);
    cpu->r[LR] = 0xFFFFFFFFu;
    cpu_set_xpsr(cpu, 0);
    cpu->other_sp = cpu->ipsr = cpu->basepri = 0;
    cpu->primask = cpu->faultmask = cpu->spsel = cpu->npriv = false;
    cpu->exclusive = cpu->as_user = false;
    memset(cpu->s, 0, sizeof cpu->s);
    cpu->fpscr = cpu->fpdscr = cpu->fpcar = cpu->cpacr = 0;
    cpu->fpccr = cpu->config.has_fpu ? FPCCR_RESET : 0;
    cpu->fpca = false;
}

static void reset_system(struct cpu *cpu)
{
    memset(cpu->pending, 0, sizeof cpu->pending);
    memset(cpu->active, 0, sizeof cpu->active);
    memset(cpu->level, 0, sizeof cpu->level);
    memset(cpu->enabled, 0, sizeof cpu->enabled);
    memset(cpu->priority, 0, sizeof cpu->priority);
    cpu->enabled[0] = ALWAYS_ENABLED;
    cpu->scr = cpu->shcsr_enables = cpu->prigroup = 0;
    cpu->ccr = CCR_STKALIGN;
    cpu->cfsr = cpu->hfsr = cpu->mmfar = cpu->bfar = 0;
    cpu->sleeping = cpu->sleeping_for_event = cpu->event_register = false;
    cpu->locked_up = cpu->reset_requested = false;
    cpu->fault = cpu->access_fault = FAULT_NONE;
    cpu->fault_pc = cpu->fault_address = 0;
    cpu->code = (struct cpu_memory){0};
    systick_reset(cpu);
    dwt_reset(cpu);
    cpu_attend(cpu);
}

void cpu_reset(struct cpu *cpu, uint32_t vtor)
{
    uint32_t sp = 0, pc = 0;
    fp_leave(cpu);
    reset_registers(cpu);
    reset_system(cpu);
    cpu->vtor = vtor;
    bool ok = memory_read_strict(cpu, vtor, 4, &sp) && memory_read_strict(cpu, vtor + 4, 4, &pc);
    cpu_take_vectors(cpu, sp, pc, ok);
}

void cpu_execute_one(struct cpu *cpu)
{
    cpu->stop_at = 0;
    execute_one(cpu);
    fp_leave(cpu);
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
        [FAULT_DIVIDE_BY_ZERO] = "division by zero",
        [FAULT_NO_COPROCESSOR] = "coprocessor that is absent or off",
    };
    return names[fault];
}
