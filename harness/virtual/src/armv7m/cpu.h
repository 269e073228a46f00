/* SPDX-License-Identifier: MIT
 *
 * cpu.h -- an ARMv7E-M core (Cortex-M3, M4, M4F): registers, exceptions, NVIC, SysTick, DWT, and
 * the clocks that count cycles. Same calls as armv6m/cpu.h.
 *
 * Ref: ARM DDI 0403, ARMv7-M Architecture Reference Manual ("the ARM" in this folder);
 *      ARM 100166, Cortex-M4 TRM, and ARM DDI 0337, Cortex-M3 TRM.
 *
 * Time is a bracket. The TRMs give ranges (pipeline refill 1..3, loads 1..2, division 2..12) whose
 * causes are not modelled, so each instruction adds its least to `cycles` and its most to
 * `cycles_hi` (timing.h). `cycles` is the time that SysTick, DWT and devices see; it is a lower
 * bound, not a measurement. `instructions` is exact.
 *
 * The core is strict where the ARM allows it to be: whatever is UNDEFINED, UNPREDICTABLE, unmapped
 * or not executable becomes a fault that remembers its reason, PC and address.
 *
 * The caller owns the struct and the memories. Nothing is allocated, nothing is global but the
 * 16-bit decode table. Needs a little-endian host. */
#ifndef CPU_H
#define CPU_H

#include <stdbool.h>
#include <stdint.h>

#define NEVER UINT64_MAX

/* Exception numbers (the ARM, table B1-4). */
enum {
    EXC_NMI = 2,
    EXC_HARDFAULT = 3,
    EXC_MEMMANAGE = 4,
    EXC_BUSFAULT = 5,
    EXC_USAGEFAULT = 6,
    EXC_SVCALL = 11,
    EXC_DEBUGMONITOR = 12,
    EXC_PENDSV = 14,
    EXC_SYSTICK = 15,
    EXC_IRQ0 = 16,
    EXC_COUNT = 256,
    EXC_WORDS = EXC_COUNT / 64
};

enum { SP = 13, LR = 14 };

/* Why a fault was taken; fault_name() gives the words. */
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
    FAULT_VECTOR,           /* the vector table cannot be read */
    FAULT_DIVIDE_BY_ZERO,   /* with CCR.DIV_0_TRP */
    FAULT_NO_COPROCESSOR    /* also the FPU while CPACR keeps it off */
};

/* ---- configuration ---- */

enum { CPU_MEMORIES = 12 };

/* `size` bytes at `bytes` appear at `base`; several entries may show the same bytes. Stores to what
 * is not writable go to the bus. Accesses do not run from one entry into the next. */
struct cpu_memory {
    uint32_t base, size;
    uint8_t *bytes;
    bool writable, executable;
};

struct cpu_config {
    struct cpu_memory memory[CPU_MEMORIES];     /* the main RAM first among the writable ones */
    unsigned n_memories;
    uint32_t cpuid;             /* 0x412FC230 Cortex-M3 r2p0, 0x410FC241 Cortex-M4 r0p1 */
    unsigned n_irqs;            /* 1..240 */
    unsigned priority_bits;     /* 3..8: the top ones of a priority byte that exist */
    bool has_dsp, has_fpu;      /* M3: neither; M4: dsp; M4F: both */
};

/* SysTick between register writes: CVR was `value` at cycle `since` (the ARM, section B3.3). */
struct systick {
    uint32_t control;       /* CSR without COUNTFLAG */
    uint32_t reload;
    uint32_t value;
    uint64_t since;
    bool wrapped;           /* COUNTFLAG, as far as `since` */
};

/* CYCCNT is `base` + cycles while it counts, else `base`. */
struct dwt {
    bool trace, counting;   /* DEMCR.TRCENA, DWT_CTRL.CYCCNTENA */
    uint32_t base;
};

/* What lies outside the memories. Each returns false when nothing answers. `size` is 1, 2, 4 and
 * the address is aligned to it. The callbacks see `cycles` at the start of the instruction. */
struct cpu_bus {
    bool (*read)(void *context, uint32_t address, unsigned size, uint32_t *value);
    bool (*write)(void *context, uint32_t address, unsigned size, uint32_t value);
    void (*event)(void *context);       /* `device_at` has come */
    void *context;
};

struct cpu;

/* A 32-bit instruction decoded: found again by its own bits, so memory may change under it. */
struct wide {
    uint32_t word;          /* first halfword << 16 | second; 0 is no such instruction */
    uint32_t immediate;     /* of a modified immediate constant */
    bool (*run)(struct cpu *cpu, const struct wide *w);
    uint8_t cycles, cycles_hi;
    uint8_t in_it;          /* enum in_it of wide.h */
};

enum { WIDE_CACHE = 4096 };

struct cpu {
    /* registers; the PC is the address of the next instruction */
    uint32_t r[15];
    uint32_t pc;
    uint32_t n, z, c, v;        /* N = bit 31 of n, Z = (z == 0), C = c (0 or 1), V = bit 31 of v */
    bool q;
    uint32_t ge;                /* four bits */
    uint32_t itstate;           /* of the next instruction; 0 outside IT blocks */
    uint32_t other_sp;          /* the one of MSP and PSP that is not r[SP] */
    uint32_t ipsr;
    bool primask, faultmask, spsel, npriv, thumb;
    uint32_t basepri;           /* the byte */
    bool exclusive;             /* the local monitor; it marks all of memory */

    /* floating point */
    uint32_t s[32];
    uint32_t fpscr, fpdscr, fpccr, fpcar, cpacr;
    bool fpca;                  /* CONTROL.FPCA */
    bool fp_live;               /* enabled, FPCA set, host environment as FPSCR says (fp.h) */

    /* time: run up to `stop_at`, which anything that needs attention sets to 0 */
    uint64_t cycles, cycles_hi, instructions;
    uint64_t stop_at;
    uint64_t device_at;         /* next call of bus.event */
    uint64_t systick_at;        /* next SysTick interrupt */
    struct systick systick;
    struct dwt dwt;

    /* memories */
    struct cpu_config config;
    struct cpu_memory ram;      /* the first writable one */
    struct cpu_memory code;     /* the one the PC is in; size 0: none yet */
    struct cpu_bus bus;
    bool as_user;               /* LDRT, STRT: this access is unprivileged */

    /* exceptions: one bit for each exception number */
    uint64_t pending[EXC_WORDS], active[EXC_WORDS], enabled[EXC_WORDS], level[EXC_WORDS];
    uint8_t priority[EXC_COUNT];
    uint32_t vtor, scr, ccr, shcsr_enables, prigroup;
    uint32_t cfsr, hfsr, mmfar, bfar;
    bool attention;             /* an exception, a lost T bit or a fault may have to be taken */
    bool sleeping, sleeping_for_event, event_register;
    bool locked_up, reset_requested;

    /* the instruction that failed just now; the first fault since reset; the lowest SP */
    enum fault access_fault;
    uint32_t access_address;
    enum fault fault;
    uint32_t fault_pc, fault_address, fault_count;
    uint32_t min_sp;

    struct wide wide[WIDE_CACHE];
};

/* Wires the core to its memories; call cpu_reset next. */
void cpu_init(struct cpu *cpu, const struct cpu_config *config);

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

/* Time in which no instruction runs; both clocks. */
static inline void cpu_pass(struct cpu *cpu, uint64_t cycles)
{
    cpu->cycles += cycles;
    cpu->cycles_hi += cycles;
}

static inline bool cpu_privileged(const struct cpu *cpu)
{
    return cpu->ipsr != 0 || !cpu->npriv;
}

uint32_t cpu_xpsr(const struct cpu *cpu);
void cpu_set_xpsr(struct cpu *cpu, uint32_t xpsr);  /* flags, GE and ITSTATE; not IPSR and T */
const char *fault_name(enum fault fault);

/* ---- cpu.c, for run.c ---- */
void cpu_execute_one(struct cpu *cpu);      /* one instruction, whatever it takes */
/* The end of a reset: stack pointer and PC from the vectors; lockup when they are not readable. */
void cpu_take_vectors(struct cpu *cpu, uint32_t sp, uint32_t pc, bool readable);

/* ---- execute.c ---- */
void execute_until(struct cpu *cpu);        /* instructions while cycles < stop_at */
void execute_one(struct cpu *cpu);

/* ---- exception.c, fault.c ---- */
static inline bool exception_in(const uint64_t set[EXC_WORDS], int number)
{
    return set[number / 64] >> (number % 64) & 1;
}

static inline bool exception_active(const struct cpu *cpu, int number)
{
    return exception_in(cpu->active, number);
}

int exception_next(const struct cpu *cpu, bool ignore_primask); /* what would preempt now, or 0 */
int exception_execution_priority(const struct cpu *cpu, bool ignore_primask);
bool exception_preempts(const struct cpu *cpu, int number);     /* would it, if it were pending? */
bool exception_enter(struct cpu *cpu, int number);              /* false: stacking failed */
void exception_start(struct cpu *cpu, int number, uint32_t exc_return);     /* without stacking */
void exception_return(struct cpu *cpu, uint32_t exc_return);
void exception_pend(struct cpu *cpu, int number);
void exception_unpend(struct cpu *cpu, int number);
bool exception_svc(struct cpu *cpu);        /* false: masked, hence a fault */
void exception_irq_level(struct cpu *cpu, unsigned irq, bool level);
void exception_use_psp(struct cpu *cpu, bool psp);      /* which stack r[SP] is */
void fault_take(struct cpu *cpu, enum fault fault, uint32_t pc, uint32_t address);
/* The handler of a fault that an exception entry or return met, or EXC_HARDFAULT; 0: lockup. */
int fault_derived(struct cpu *cpu, enum fault fault, uint32_t address, uint32_t cfsr);

/* ---- system.c: MRS, MSR ---- */
bool system_mrs(const struct cpu *cpu, unsigned sysm, uint32_t *value);
bool system_msr(struct cpu *cpu, unsigned sysm, unsigned mask, uint32_t value);

/* ---- cortexm/systick.c ---- */
void systick_reset(struct cpu *cpu);
void systick_service(struct cpu *cpu);      /* pends the interrupt if its time has come */
uint32_t systick_value(const struct cpu *cpu);
bool systick_read(struct cpu *cpu, uint32_t address, uint32_t *value);
bool systick_write(struct cpu *cpu, uint32_t address, uint32_t value);

/* ---- dwt.c: cycle counter, and the rest of 0xE0000000..0xE0003FFF, which reads as zero ---- */
void dwt_reset(struct cpu *cpu);
void dwt_trace(struct cpu *cpu, bool trace);    /* DEMCR.TRCENA */
uint32_t dwt_read(const struct cpu *cpu, uint32_t address);
void dwt_write(struct cpu *cpu, uint32_t address, uint32_t value);

/* ---- nvic.c, scs.c: the system control space, 0xE000E000..0xE000EFFF, in words ---- */
bool nvic_read(const struct cpu *cpu, uint32_t address, uint32_t *value);
bool nvic_write(struct cpu *cpu, uint32_t address, uint32_t value);
uint32_t scs_read(struct cpu *cpu, uint32_t address);
void scs_write(struct cpu *cpu, uint32_t address, uint32_t value);

#endif
