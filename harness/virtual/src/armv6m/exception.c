/* SPDX-License-Identifier: MIT
 *
 * exception.c -- priorities, entry, return, faults and lockup (the ARM, section B1.5). */
#include "memory.h"
#include "timing.h"

#define PRIORITY_RESET (-3)
#define PRIORITY_NONE 4         /* lower than any configurable priority, 0..3 */
#define FRAME_BYTES 32u
#define EXC_RETURN_HANDLER 0xFFFFFFF1u
#define EXC_RETURN_MAIN 0xFFFFFFF9u
#define EXC_RETURN_PROCESS 0xFFFFFFFDu
#define XPSR_THUMB (1u << 24)
#define XPSR_ALIGNED (1u << 9)  /* the stack was moved by 4 to align the frame to 8 */
#define SCR_SLEEPONEXIT (1u << 1)
#define SCR_SEVONPEND (1u << 4)

static uint64_t bit(int number)
{
    return (uint64_t)1 << number;
}

static int priority_of(const struct cpu *cpu, int number)
{
    switch (number) {
    case EXC_NMI:
        return -2;
    case EXC_HARDFAULT:
        return -1;
    default:
        return cpu->priority[number];
    }
}

/* The best (lowest) priority of a set; of equals the lowest exception number. */
static int best_of(const struct cpu *cpu, uint64_t set, int *number)
{
    int best = PRIORITY_NONE;
    *number = 0;
    for (; set; set &= set - 1) {
        int candidate = __builtin_ctzll(set);
        int priority = priority_of(cpu, candidate);
        if (priority < best) {
            best = priority;
            *number = candidate;
        }
    }
    return best;
}

static int execution_priority(const struct cpu *cpu, bool ignore_primask)
{
    int number;
    int priority = best_of(cpu, cpu->active, &number);
    if (cpu->primask && !ignore_primask && priority > 0)
        priority = 0;
    return priority;
}

int exception_next(const struct cpu *cpu, bool ignore_primask)
{
    int number;
    int priority = best_of(cpu, cpu->pending & cpu->enabled, &number);
    return priority < execution_priority(cpu, ignore_primask) ? number : 0;
}

/* ---- the two stack pointers ---- */

void exception_use_psp(struct cpu *cpu, bool psp)
{
    if (psp != cpu->spsel) {
        uint32_t other = cpu->other_sp;
        cpu->other_sp = cpu->r[SP];
        cpu->r[SP] = other;
        cpu->spsel = psp;
    }
}

static void note_sp(struct cpu *cpu)
{
    if (cpu->r[SP] < cpu->min_sp)
        cpu->min_sp = cpu->r[SP];
}

/* ---- faults ---- */

static void lock_up(struct cpu *cpu)
{
    cpu->locked_up = true;
    cpu->stop_at = 0;
}

/* The first fault since reset is kept: what follows is often its consequence. */
static void record(struct cpu *cpu, enum fault fault, uint32_t pc, uint32_t address)
{
    cpu->fault_count++;
    if (cpu->fault != FAULT_NONE)
        return;
    cpu->fault = fault;
    cpu->fault_pc = pc;
    cpu->fault_address = address;
}

/* All faults are HardFaults; at the priority of HardFault or above they lock the core up. */
void fault_take(struct cpu *cpu, enum fault fault, uint32_t pc, uint32_t address)
{
    record(cpu, fault, pc, address);
    cpu->pc = pc;
    if (execution_priority(cpu, false) < 0)
        lock_up(cpu);
    else
        exception_enter(cpu, EXC_HARDFAULT);
}

/* ---- entry ---- */

static bool push_frame(struct cpu *cpu)
{
    uint32_t sp = (cpu->r[SP] - FRAME_BYTES) & ~7u;
    uint32_t aligned = (cpu->r[SP] - FRAME_BYTES) & 4 ? XPSR_ALIGNED : 0;
    uint32_t frame[8] = {cpu->r[0],  cpu->r[1],  cpu->r[2], cpu->r[3],
                         cpu->r[12], cpu->r[LR], cpu->pc,   cpu_xpsr(cpu) | aligned};
    for (unsigned i = 0; i < 8; i++)
        if (!memory_write(cpu, sp + 4 * i, 4, frame[i]))
            return false;
    cpu->r[SP] = sp;
    note_sp(cpu);
    return true;
}

/* Active, in Handler mode on the main stack, at the handler. */
static void start_handler(struct cpu *cpu, int number)
{
    uint32_t vector;
    exception_use_psp(cpu, false);
    cpu->ipsr = (uint32_t)number;
    cpu->active |= bit(number);
    cpu->pending &= ~bit(number);
    cpu->event_register = true;
    cpu->sleeping = cpu->sleeping_for_event = false;
    cpu_attend(cpu);
    if (!memory_read(cpu, cpu->vtor + 4 * (uint32_t)number, 4, &vector)) {
        record(cpu, FAULT_VECTOR, cpu->pc, cpu->access_address);
        lock_up(cpu);
        return;
    }
    cpu->pc = vector & ~1u;
    cpu->thumb = vector & 1;
}

void exception_enter(struct cpu *cpu, int number)
{
    uint32_t exc_return = cpu->ipsr    ? EXC_RETURN_HANDLER
                          : cpu->spsel ? EXC_RETURN_PROCESS
                                       : EXC_RETURN_MAIN;
    if (!push_frame(cpu)) {
        record(cpu, FAULT_STACKING, cpu->pc, cpu->access_address);
        lock_up(cpu);
        return;
    }
    start_handler(cpu, number);
    cpu->r[LR] = exc_return;
    cpu->cycles += CYCLES_EXCEPTION_ENTRY;
}

/* ---- return ---- */

/* Is this EXC_RETURN possible with the exceptions now active? (the ARM, section B1.5.8) */
static bool return_is_legal(const struct cpu *cpu, uint32_t exc_return)
{
    bool nested = (cpu->active & (cpu->active - 1)) != 0;
    if (!(cpu->active & bit((int)cpu->ipsr)))
        return false;
    return exc_return == EXC_RETURN_HANDLER
               ? nested
               : !nested && (exc_return == EXC_RETURN_MAIN || exc_return == EXC_RETURN_PROCESS);
}

static bool pop_frame(struct cpu *cpu, uint32_t frame[8])
{
    for (unsigned i = 0; i < 8; i++)
        if (!memory_read(cpu, cpu->r[SP] + 4 * i, 4, &frame[i]))
            return false;
    cpu->r[SP] += FRAME_BYTES + (frame[7] & XPSR_ALIGNED ? 4 : 0);
    return true;
}

static void restore_frame(struct cpu *cpu, const uint32_t frame[8])
{
    for (unsigned i = 0; i < 4; i++)
        cpu->r[i] = frame[i];
    cpu->r[12] = frame[4];
    cpu->r[LR] = frame[5];
    cpu->pc = frame[6] & ~1u;
    cpu_set_xpsr_flags(cpu, frame[7]);
    cpu->ipsr = frame[7] & 0x3F;
    cpu->thumb = (frame[7] & XPSR_THUMB) != 0;
}

/* A level-sensitive interrupt that is still asserted becomes pending again. */
static void deactivate(struct cpu *cpu, int number)
{
    cpu->active &= ~bit(number);
    cpu->pending |= cpu->level & bit(number);
}

static void fail_return(struct cpu *cpu, enum fault fault, uint32_t address)
{
    uint32_t pc = cpu->pc;
    if (fault == FAULT_STACKING || execution_priority(cpu, false) < 0) {
        record(cpu, fault, pc, address);
        lock_up(cpu);
    } else {
        fault_take(cpu, fault, pc, address);
    }
}

void exception_return(struct cpu *cpu, uint32_t exc_return)
{
    uint32_t frame[8];
    if (!return_is_legal(cpu, exc_return)) {
        fail_return(cpu, FAULT_EXC_RETURN, exc_return);
        return;
    }
    deactivate(cpu, (int)cpu->ipsr);
    cpu->event_register = true;
    cpu_attend(cpu);
    int next = exception_next(cpu, false);
    if (next) {
        start_handler(cpu, next);
        cpu->r[LR] = exc_return;
        cpu->cycles += CYCLES_TAIL_CHAIN;
        return;
    }
    exception_use_psp(cpu, exc_return == EXC_RETURN_PROCESS);
    if (!pop_frame(cpu, frame)) {
        fail_return(cpu, FAULT_STACKING, cpu->access_address);
        return;
    }
    restore_frame(cpu, frame);
    cpu->cycles += CYCLES_EXCEPTION_RETURN;
    bool to_thread = exc_return != EXC_RETURN_HANDLER;
    if (to_thread != (cpu->ipsr == 0)) {
        fail_return(cpu, FAULT_EXC_RETURN, exc_return);
        return;
    }
    if (to_thread && (cpu->scr & SCR_SLEEPONEXIT))
        cpu->sleeping = true;
}

/* ---- pending ---- */

void exception_pend(struct cpu *cpu, int number)
{
    if (!(cpu->pending & bit(number)) && (cpu->scr & SCR_SEVONPEND))
        cpu->event_register = true;
    cpu->pending |= bit(number);
    cpu_attend(cpu);
}

void exception_irq_level(struct cpu *cpu, unsigned irq, bool level)
{
    int number = EXC_IRQ0 + (int)irq;
    bool rising = level && !(cpu->level & bit(number));
    cpu->level = level ? cpu->level | bit(number) : cpu->level & ~bit(number);
    if (rising && !(cpu->active & bit(number)))
        exception_pend(cpu, number);
}

bool exception_svc(struct cpu *cpu)
{
    if (cpu->priority[EXC_SVCALL] >= execution_priority(cpu, false))
        return false;
    exception_enter(cpu, EXC_SVCALL);
    return true;
}
