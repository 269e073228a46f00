/* SPDX-License-Identifier: MIT
 *
 * run.c -- the loop around the instructions of either core: events, exceptions, sleep.
 * Ref: ARM DDI 0419 and DDI 0403, the reference manuals of ARMv6-M and ARMv7-M. */
#include "core.h"

void cpu_take_vectors(struct cpu *cpu, uint32_t sp, uint32_t pc, bool readable)
{
    cpu->r[SP] = cpu->min_sp = sp & ~3u;
    cpu->pc = pc & ~1u;
    cpu->thumb = pc & 1;
    if (readable)
        return;
    cpu->fault = FAULT_VECTOR;
    cpu->fault_address = cpu->access_address;
    cpu->fault_count++;
    cpu->locked_up = true;
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

/* WFI ends with anything that would preempt if PRIMASK were clear, WFE also with an event (DDI 0419,
 * sections B1.5.18 and B1.5.19; DDI 0403, B1.5.17 and B1.5.18). */
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
    while (cpu->cycles < until && !core_dead(cpu)) {
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
    if (core_dead(cpu))
        return;
    serve_events(cpu);
    if (cpu->attention && between_instructions(cpu))
        return;
    if (!stopped(cpu))
        cpu_execute_one(cpu);
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
            core_pass(cpu, to - cpu->cycles);
        serve_events(cpu);
    }
}
