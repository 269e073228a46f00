/* SPDX-License-Identifier: MIT
 *
 * cpu.h -- an ARMv6-M core: registers, exceptions, NVIC, SysTick and the clock that counts cycles.
 *
 * Ref: ARM DDI 0419, ARMv6-M Architecture Reference Manual ("the ARM" below);
 *      ARM DDI 0484C, Cortex-M0+ Technical Reference Manual ("the TRM").
 *
 * The core is strict where the ARM allows it to be: whatever is UNDEFINED, UNPREDICTABLE, unaligned,
 * unmapped or not executable becomes a HardFault that remembers its reason, PC and address; a fault
 * inside HardFault or NMI locks the core up.
 *
 * The caller owns the struct and the two memories. Nothing is allocated, nothing is global but the
 * decode table. Needs a little-endian host. */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stdint.h>

/* SAM D21G18A memories, DS40001882 table 10-1. */
#define FLASH_SIZE 0x40000u
#define RAM_BASE 0x20000000u
#define RAM_SIZE 0x8000u
#define IOBUS_BASE 0x60000000u
#define IOBUS_SIZE 0x200u

#define NEVER UINT64_MAX

/* Exception numbers (the ARM, table B1-3). */
enum {
    EXC_NMI = 2,
    EXC_HARDFAULT = 3,
    EXC_SVCALL = 11,
    EXC_PENDSV = 14,
    EXC_SYSTICK = 15,
    EXC_IRQ0 = 16,
    EXC_COUNT = 48
};

enum { SP = 13, LR = 14 };

/* Why a HardFault was taken; fault_name() gives the words. */
enum fault {
    FAULT_NONE,
    FAULT_UNDEFINED,        /* undefined instruction */
    FAULT_UNPREDICTABLE,    /* encoding or use the architecture leaves UNPREDICTABLE */
    FAULT_UNALIGNED,
    FAULT_UNMAPPED,         /* data access to nothing, or of a width the register does not take */
    FAULT_FETCH,            /* execution from where no code can be */
    FAULT_NOT_THUMB,        /* branch to an even address: ARM state does not exist */
    FAULT_BREAKPOINT,       /* BKPT without a debugger */
    FAULT_SVC_ESCALATED,    /* SVC while its priority is masked */
    FAULT_EXC_RETURN,       /* EXC_RETURN or stacked xPSR that fits no active exception */
    FAULT_STACKING,         /* the stack of an exception entry or return is not RAM */
    FAULT_VECTOR            /* the vector table cannot be read */
};

/* The flash cache of NVMCTRL: 8 direct-mapped lines of 64 bits (DS40001882, "NVMCTRL: Cache"). */
struct flash_cache {
    uint32_t line[8];       /* address / 8 of what each line holds; ~0 empty */
    bool bypass;            /* CACHEDIS or READMODE DETERMINISTIC: every access waits */
};

/* SysTick between register writes: CVR was `value` at cycle `since` (the ARM, section B3.3). */
struct systick {
    uint32_t control;       /* CSR without COUNTFLAG */
    uint32_t reload;
    uint32_t value;
    uint64_t since;
    bool wrapped;           /* COUNTFLAG, as far as `since` */
};

/* What lies outside the two memories. Each returns false when nothing answers. `size` is 1, 2, 4 and
 * the address is aligned to it. The callbacks see `cycles` at the start of the instruction. */
struct cpu_bus {
    bool (*read)(void *context, uint32_t address, unsigned size, uint32_t *value);
    bool (*write)(void *context, uint32_t address, unsigned size, uint32_t value);
    void (*event)(void *context);       /* `device_at` has come */
    void *context;
};

struct cpu {
    /* registers; the PC is the address of the next instruction */
    uint32_t r[15];
    uint32_t pc;
    uint32_t n, z, c, v;        /* N = bit 31 of n, Z = (z == 0), C = c (0 or 1), V = bit 31 of v */
    uint32_t other_sp;          /* the one of MSP and PSP that is not r[SP] */
    uint32_t ipsr;
    bool primask, spsel, thumb;

    /* time: run up to `stop_at`, which anything that needs attention sets to 0 */
    uint64_t cycles, instructions;
    uint64_t stop_at;
    uint64_t device_at;         /* next call of bus.event */
    uint64_t systick_at;        /* next SysTick interrupt */
    struct systick systick;

    /* memories */
    uint8_t *flash, *ram;
    const uint8_t *code;        /* the memory the PC is in ... */
    uint32_t code_base, code_size;
    struct cpu_bus bus;
    bool wait_states;           /* the rws1 model: one cycle for each missed line */
    uint32_t fetched_word;      /* address / 4 of the last fetch; with wait states only */
    struct flash_cache cache;

    /* exceptions: one bit for each exception number */
    uint64_t pending, active, enabled, level;
    uint8_t priority[EXC_COUNT];    /* 0..3 */
    uint32_t vtor, scr;
    bool attention;             /* an exception, a lost T bit or a fault may have to be taken */
    bool sleeping, sleeping_for_event, event_register;
    bool locked_up, reset_requested;

    /* the access that failed just now; the first fault since reset; the lowest stack pointer */
    enum fault access_fault;
    uint32_t access_address;
    enum fault fault;
    uint32_t fault_pc, fault_address, fault_count;
    uint32_t min_sp;
};

/* Wires the core to its memories; call cpu_reset next. */
void cpu_init(struct cpu *cpu, uint8_t *flash, uint8_t *ram);

/* Starts at the vector table `vtor`, registers and exceptions as after reset. Cycles go on. */
void cpu_reset(struct cpu *cpu, uint32_t vtor);

/* Runs until `cycles` reaches `until`, sleep, lockup or a requested reset, whichever is first; the
 * last instruction may overrun by its own length. */
void cpu_run(struct cpu *cpu, uint64_t until);

/* One instruction, or the entry of one exception. Does nothing while asleep or locked up. */
void cpu_step(struct cpu *cpu);

/* While asleep: lets time pass to `until`, or to the event before it that wakes the core. */
void cpu_idle(struct cpu *cpu, uint64_t until);

/* The next cycle at which something happens by itself: SysTick interrupt or device. */
uint64_t cpu_next_event(const struct cpu *cpu);

/* Takes effect after the current instruction: something about exceptions or events has changed. */
static inline void cpu_attend(struct cpu *cpu)
{
    cpu->attention = true;
    cpu->stop_at = 0;
}

uint32_t cpu_xpsr(const struct cpu *cpu);
void cpu_set_xpsr_flags(struct cpu *cpu, uint32_t xpsr);
const char *fault_name(enum fault fault);

/* ---- cpu.c, for run.c ---- */
void cpu_execute_one(struct cpu *cpu);      /* one instruction, whatever it takes */
/* The end of a reset: stack pointer and PC from the vectors; lockup when they are not readable. */
void cpu_take_vectors(struct cpu *cpu, uint32_t sp, uint32_t pc, bool readable);

/* ---- execute.c ---- */
void execute_until(struct cpu *cpu);        /* instructions while cycles < stop_at */

/* ---- exception.c ---- */
int exception_next(const struct cpu *cpu, bool ignore_primask); /* what would preempt now, or 0 */
void exception_enter(struct cpu *cpu, int number);
void exception_return(struct cpu *cpu, uint32_t exc_return);
void exception_pend(struct cpu *cpu, int number);
bool exception_svc(struct cpu *cpu);        /* false: masked, hence a fault */
void exception_irq_level(struct cpu *cpu, unsigned irq, bool level);
void exception_use_psp(struct cpu *cpu, bool psp);      /* which stack r[SP] is */
void fault_take(struct cpu *cpu, enum fault fault, uint32_t pc, uint32_t address);

/* ---- system.c: MRS, MSR ---- */
bool system_mrs(const struct cpu *cpu, unsigned sysm, uint32_t *value);
bool system_msr(struct cpu *cpu, unsigned sysm, uint32_t value);

/* ---- systick.c ---- */
void systick_reset(struct cpu *cpu);
void systick_service(struct cpu *cpu);      /* pends the interrupt if its time has come */
uint32_t systick_value(const struct cpu *cpu);
bool systick_read(struct cpu *cpu, uint32_t address, uint32_t *value);
bool systick_write(struct cpu *cpu, uint32_t address, uint32_t value);

/* ---- scs.c: the system control space, 0xE000E000..0xE000EFFF ---- */
bool scs_read(struct cpu *cpu, uint32_t address, uint32_t *value);
bool scs_write(struct cpu *cpu, uint32_t address, uint32_t value);

#endif
