/* SPDX-License-Identifier: MIT
 *
 * exception.c -- priorities, entry and return (the ARM, section B1.5). Faults: fault.c.
 *
 * The floating-point frame is stacked at once, never lazily: what a program can compute is the
 * same, FPCCR.LSPACT is never set, and cycles_hi has the cost. */
#include "fp.h"
#include "memory.h"
#include "timing.h"

#define PRIORITY_NONE 256       /* lower than any configurable priority */
#define FRAME_WORDS 8u
#define FP_FRAME_WORDS 26u      /* with S0-S15, FPSCR and a reserved word */
#define RETURN_HANDLER 0xFFFFFFF1u
#define RETURN_MAIN 0xFFFFFFF9u
#define RETURN_PROCESS 0xFFFFFFFDu
#define RETURN_NO_FP 0x10u      /* clear: the frame has floating-point registers */
#define XPSR_THUMB (1u << 24)
#define XPSR_ALIGNED (1u << 9)  /* the stack was moved by 4 to align the frame to 8 */
#define SCR_SLEEPONEXIT (1u << 1)
#define SCR_SEVONPEND (1u << 4)
#define CCR_NONBASETHRDENA 1u
#define CCR_STKALIGN 0x200u
#define CFSR_STKERR 0x1000u
#define CFSR_UNSTKERR 0x800u
#define CFSR_INVPC 0x40000u

/* ---- sets of exceptions ---- */

static void put(uint64_t set[EXC_WORDS], int number, bool in)
{
    uint64_t bit = (uint64_t)1 << (number % 64);
    set[number / 64] = in ? set[number / 64] | bit : set[number / 64] & ~bit;
}

/* ---- priorities ---- */

static int group(const struct cpu *cpu, int priority)
{
    return priority < 0 ? priority : priority & ~((2 << cpu->prigroup) - 1);
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

/* The best (lowest) priority of one word of a set; of equals the lowest exception number. */
static void best_of_word(const struct cpu *cpu, uint64_t set, int first, int *best, int *number)
{
    for (; set; set &= set - 1) {
        int candidate = first + __builtin_ctzll(set), priority = priority_of(cpu, candidate);
        if (priority < *best) {
            *best = priority;
            *number = candidate;
        }
    }
}

int exception_execution_priority(const struct cpu *cpu, bool ignore_primask)
{
    int priority = PRIORITY_NONE, number = 0;
    for (int i = 0; i < EXC_WORDS; i++)
        best_of_word(cpu, cpu->active[i], 64 * i, &priority, &number);
    priority = group(cpu, priority);
    if (cpu->basepri && group(cpu, (int)cpu->basepri) < priority)
        priority = group(cpu, (int)cpu->basepri);
    if (cpu->primask && !ignore_primask && priority > 0)
        priority = 0;
    if (cpu->faultmask && priority > -1)
        priority = -1;
    return priority;
}

int exception_next(const struct cpu *cpu, bool ignore_primask)
{
    int priority = PRIORITY_NONE, number = 0;
    for (int i = 0; i < EXC_WORDS; i++)
        best_of_word(cpu, cpu->pending[i] & cpu->enabled[i], 64 * i, &priority, &number);
    if (!number || group(cpu, priority) >= exception_execution_priority(cpu, ignore_primask))
        return 0;
    return number;
}

bool exception_preempts(const struct cpu *cpu, int number)
{
    return group(cpu, priority_of(cpu, number)) < exception_execution_priority(cpu, false);
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

static void lock_up(struct cpu *cpu)
{
    cpu->locked_up = true;
    cpu->stop_at = 0;
}

/* ---- entry ---- */

static bool push_fp(struct cpu *cpu, uint32_t at)
{
    for (unsigned i = 0; i < 16; i++)
        if (!memory_write_strict(cpu, at + 4 * i, 4, cpu->s[i]))
            return false;
    return memory_write_strict(cpu, at + 64, 4, cpu->fpscr);
}

/* The stack pointer moves even if that fails. */
static bool push_frame(struct cpu *cpu)
{
    bool fp = cpu->fpca, align = fp || (cpu->ccr & CCR_STKALIGN);
    uint32_t below = cpu->r[SP] - 4 * (fp ? FP_FRAME_WORDS : FRAME_WORDS);
    uint32_t sp = align ? below & ~7u : below, moved = sp != below ? XPSR_ALIGNED : 0;
    uint32_t frame[8] = {cpu->r[0],  cpu->r[1],  cpu->r[2], cpu->r[3],
                         cpu->r[12], cpu->r[LR], cpu->pc,   cpu_xpsr(cpu) | moved};
    bool ok = true;
    for (unsigned i = 0; i < FRAME_WORDS && ok; i++)
        ok = memory_write_strict(cpu, sp + 4 * i, 4, frame[i]);
    if (fp && ok) {
        ok = push_fp(cpu, sp + 4 * FRAME_WORDS);
        CHARGE(cpu, FP_ENTRY);
    }
    cpu->r[SP] = sp;
    if (sp < cpu->min_sp)
        cpu->min_sp = sp;
    return ok;
}

/* Active, in Handler mode on the main stack, at the handler; nothing is stacked. */
void exception_start(struct cpu *cpu, int number, uint32_t exc_return)
{
    uint32_t vector;
    exception_use_psp(cpu, false);
    cpu->r[LR] = exc_return;
    cpu->fpca = false;
    cpu->exclusive = false;
    cpu->itstate = 0;
    cpu->ipsr = (uint32_t)number;
    put(cpu->active, number, true);
    put(cpu->pending, number, false);
    cpu->event_register = true;
    cpu->sleeping = cpu->sleeping_for_event = false;
    cpu_attend(cpu);
    if (!memory_read_strict(cpu, cpu->vtor + 4 * (uint32_t)number, 4, &vector)) {
        int handler = fault_derived(cpu, FAULT_VECTOR, cpu->access_address, 0);
        if (handler && number != EXC_HARDFAULT)
            exception_start(cpu, handler, exc_return);
        else
            lock_up(cpu);
        return;
    }
    cpu->pc = vector & ~1u;
    cpu->thumb = vector & 1;
}

static uint32_t return_value(const struct cpu *cpu)
{
    uint32_t value = cpu->ipsr ? RETURN_HANDLER : cpu->spsel ? RETURN_PROCESS : RETURN_MAIN;
    return cpu->fpca ? value & ~RETURN_NO_FP : value;
}

/* If the stack is not RAM, that fault's handler runs and `number` stays pending (B1.5.14). */
bool exception_enter(struct cpu *cpu, int number)
{
    fp_leave(cpu);
    uint32_t exc_return = return_value(cpu);
    bool ok = push_frame(cpu);
    if (!ok) {
        put(cpu->pending, number, true);
        number = fault_derived(cpu, FAULT_STACKING, cpu->access_address, CFSR_STKERR);
    }
    CHARGE(cpu, EXCEPTION_ENTRY);
    if (number)
        exception_start(cpu, number, exc_return);
    else
        lock_up(cpu);
    return ok;
}

/* ---- return ---- */

static int active_count(const struct cpu *cpu)
{
    int count = 0;
    for (int i = 0; i < EXC_WORDS; i++)
        count += __builtin_popcountll(cpu->active[i]);
    return count;
}

/* Is this EXC_RETURN possible with the exceptions now active? (the ARM, section B1.5.8) */
static bool return_is_legal(const struct cpu *cpu, uint32_t exc_return)
{
    bool nested = active_count(cpu) > 1 && !(cpu->ccr & CCR_NONBASETHRDENA);
    if (!exception_active(cpu, (int)cpu->ipsr))
        return false;
    if (!(exc_return & RETURN_NO_FP) && !cpu->config.has_fpu)
        return false;
    switch (exc_return | RETURN_NO_FP) {
    case RETURN_HANDLER:
        return active_count(cpu) > 1;
    case RETURN_MAIN:
    case RETURN_PROCESS:
        return !nested;
    default:
        return false;
    }
}

static bool pop_fp(struct cpu *cpu, uint32_t at)
{
    uint32_t loaded[17];
    for (unsigned i = 0; i < 17; i++)
        if (!memory_read_strict(cpu, at + 4 * i, 4, &loaded[i]))
            return false;
    for (unsigned i = 0; i < 16; i++)
        cpu->s[i] = loaded[i];
    cpu->fpscr = loaded[16];
    return true;
}

static bool pop_frame(struct cpu *cpu, uint32_t frame[8], bool fp)
{
    for (unsigned i = 0; i < FRAME_WORDS; i++)
        if (!memory_read_strict(cpu, cpu->r[SP] + 4 * i, 4, &frame[i]))
            return false;
    if (fp && !pop_fp(cpu, cpu->r[SP] + 4 * FRAME_WORDS))
        return false;
    bool align = fp || (cpu->ccr & CCR_STKALIGN);
    cpu->r[SP] += 4 * (fp ? FP_FRAME_WORDS : FRAME_WORDS);
    if (align && (frame[7] & XPSR_ALIGNED))
        cpu->r[SP] |= 4;
    return true;
}

static void restore_frame(struct cpu *cpu, const uint32_t frame[8])
{
    for (unsigned i = 0; i < 4; i++)
        cpu->r[i] = frame[i];
    cpu->r[12] = frame[4];
    cpu->r[LR] = frame[5];
    cpu->pc = frame[6] & ~1u;
    cpu_set_xpsr(cpu, frame[7]);
    cpu->ipsr = frame[7] & 0x1FF;
    cpu->thumb = (frame[7] & XPSR_THUMB) != 0;
}

/* A level-sensitive interrupt that is still asserted becomes pending again. */
static void deactivate(struct cpu *cpu, int number)
{
    put(cpu->active, number, false);
    if (exception_in(cpu->level, number))
        put(cpu->pending, number, true);
    if (number != EXC_NMI)
        cpu->faultmask = false;
}

/* A fault of the return itself is taken in place of it, as if tail-chained. */
static void fail_return(struct cpu *cpu, enum fault fault, uint32_t exc_return, uint32_t cfsr)
{
    uint32_t address = fault == FAULT_STACKING ? cpu->access_address : exc_return;
    int handler = fault_derived(cpu, fault, address, cfsr);
    if (handler)
        exception_start(cpu, handler, exc_return);
    else
        lock_up(cpu);
}

void exception_return(struct cpu *cpu, uint32_t exc_return)
{
    uint32_t frame[8];
    bool fp = !(exc_return & RETURN_NO_FP);
    fp_leave(cpu);
    bool legal = return_is_legal(cpu, exc_return);
    deactivate(cpu, (int)cpu->ipsr);
    if (!legal) {
        fail_return(cpu, FAULT_EXC_RETURN, exc_return, CFSR_INVPC);
        return;
    }
    cpu->event_register = true;
    cpu_attend(cpu);
    int next = exception_next(cpu, false);
    if (next) {
        CHARGE(cpu, TAIL_CHAIN);
        exception_start(cpu, next, exc_return);
        return;
    }
    exception_use_psp(cpu, (exc_return | RETURN_NO_FP) == RETURN_PROCESS);
    if (!pop_frame(cpu, frame, fp)) {
        fail_return(cpu, FAULT_STACKING, exc_return, CFSR_UNSTKERR);
        return;
    }
    restore_frame(cpu, frame);
    cpu->fpca = fp;
    cpu->exclusive = false;
    CHARGE(cpu, EXCEPTION_RETURN);
    bool to_thread = (exc_return | RETURN_NO_FP) != RETURN_HANDLER;
    if (to_thread != (cpu->ipsr == 0)) {
        fault_take(cpu, FAULT_EXC_RETURN, cpu->pc, exc_return);
        return;
    }
    if (to_thread && (cpu->scr & SCR_SLEEPONEXIT))
        cpu->sleeping = true;
}

/* ---- pending ---- */

void exception_pend(struct cpu *cpu, int number)
{
    if (!exception_in(cpu->pending, number) && (cpu->scr & SCR_SEVONPEND))
        cpu->event_register = true;
    put(cpu->pending, number, true);
    cpu_attend(cpu);
}

void exception_unpend(struct cpu *cpu, int number)
{
    put(cpu->pending, number, false);
}

void exception_irq_level(struct cpu *cpu, unsigned irq, bool level)
{
    int number = EXC_IRQ0 + (int)irq;
    bool rising = level && !exception_in(cpu->level, number);
    put(cpu->level, number, level);
    if (rising && !exception_active(cpu, number))
        exception_pend(cpu, number);
}

bool exception_svc(struct cpu *cpu)
{
    if (!exception_preempts(cpu, EXC_SVCALL))
        return false;
    exception_enter(cpu, EXC_SVCALL);
    return true;
}
