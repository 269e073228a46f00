/* SPDX-License-Identifier: MIT
 *
 * cpu.c -- reset, and the loop around the instructions: events, exceptions, sleep. */
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
    cpu->r[SP] = cpu->min_sp = sp & ~3u;
    cpu->pc = pc & ~1u;
    cpu->thumb = pc & 1;
    if (!ok) {
        cpu->fault = FAULT_VECTOR;
        cpu->fault_address = cpu->access_address;
        cpu->fault_count++;
        cpu->locked_up = true;
    }
}

uint64_t cpu_next_event(const struct cpu *cpu)
{
    return cpu->systick_at < cpu->device_at ? cpu->systick_at : cpu->device_at;
}

static void serve_events(struct cpu *cpu)
{
    systick_service(cpu);
    if (cpu->cycles >= cpu->device_at)
        cpu->bus.event(cpu->bus.context);
}

/* WFI ends with anything that would preempt if PRIMASK were clear, WFE also with an event (the ARM,
 * sections B1.5.18 and B1.5.19). */
static void wake(struct cpu *cpu)
{
    bool by_event = cpu->sleeping_for_event && cpu->event_register;
    if (!by_event && !exception_next(cpu, true))
        return;
    if (by_event)
        cpu->event_register = false;
    cpu->sleeping = cpu->sleeping_for_event = false;
}

/* Whatever comes between two instructions. True if an exception was entered. */
static bool between_instructions(struct cpu *cpu)
{
    cpu->attention = false;
    if (cpu->sleeping)
        wake(cpu);
    int number = exception_next(cpu, false);
    if (number) {
        exception_enter(cpu, number);
        return true;
    }
    if (!cpu->thumb && !cpu->sleeping) {
        fault_take(cpu, FAULT_NOT_THUMB, cpu->pc, cpu->pc);
        return true;
    }
    return false;
}

static bool stopped(const struct cpu *cpu)
{
    return cpu->sleeping || cpu->locked_up || cpu->reset_requested;
}

void cpu_run(struct cpu *cpu, uint64_t until)
{
    while (cpu->cycles < until) {
        serve_events(cpu);
        if (cpu->attention && between_instructions(cpu))
            continue;
        if (stopped(cpu))
            return;
        uint64_t event = cpu_next_event(cpu);
        cpu->stop_at = event < until ? event : until;
        execute_until(cpu);
    }
}

void cpu_step(struct cpu *cpu)
{
    serve_events(cpu);
    if (cpu->attention && between_instructions(cpu))
        return;
    if (stopped(cpu))
        return;
    cpu->stop_at = cpu->cycles + 1;
    execute_until(cpu);
}

void cpu_idle(struct cpu *cpu, uint64_t until)
{
    while (cpu->sleeping && cpu->cycles < until) {
        if (cpu->attention) {
            between_instructions(cpu);
            continue;
        }
        uint64_t event = cpu_next_event(cpu);
        uint64_t to = event < until ? event : until;
        if (to > cpu->cycles)
            cpu->cycles = to;
        serve_events(cpu);
    }
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
