/* SPDX-License-Identifier: MIT
 *
 * scs.c -- system control block, debug and floating-point control (the ARM, section B3.2).
 * Registers that are not modelled read as zero and ignore writes; so does the MPU, of which there
 * is none. */
#include "fp.h"
#include "memory.h"

#define SYSTICK_FIRST 0xE000E010u
#define SYSTICK_LAST 0xE000E01Cu
#define ICTR 0xE000E004u
#define CPUID 0xE000ED00u
#define ICSR 0xE000ED04u
#define VTOR 0xE000ED08u
#define AIRCR 0xE000ED0Cu
#define SCR 0xE000ED10u
#define CCR 0xE000ED14u
#define SHPR1 0xE000ED18u
#define SHPR3 0xE000ED20u
#define SHCSR 0xE000ED24u
#define CFSR 0xE000ED28u
#define HFSR 0xE000ED2Cu
#define MMFAR 0xE000ED34u
#define BFAR 0xE000ED38u
#define CPACR 0xE000ED88u
#define DEMCR 0xE000EDFCu
#define STIR 0xE000EF00u
#define FPCCR 0xE000EF34u
#define FPCAR 0xE000EF38u
#define FPDSCR 0xE000EF3Cu
#define MVFR0 0xE000EF40u
#define MVFR1 0xE000EF44u

#define CCR_MASK 0x31Bu                 /* STKALIGN, BFHFNMIGN, DIV_0, UNALIGN, USERSET, NONBASE */
#define AIRCR_KEY 0x05FA0000u
#define AIRCR_SYSRESETREQ (1u << 2)
#define SCR_MASK 0x16u                  /* SEVONPEND, SLEEPDEEP, SLEEPONEXIT */
#define ICSR_NMIPENDSET (1u << 31)
#define ICSR_PENDSVSET (1u << 28)
#define ICSR_PENDSVCLR (1u << 27)
#define ICSR_PENDSTSET (1u << 26)
#define ICSR_PENDSTCLR (1u << 25)
#define ICSR_ISRPENDING (1u << 22)
#define ICSR_RETTOBASE (1u << 11)
#define SHCSR_ENABLES 0x70000u
#define DEMCR_TRCENA (1u << 24)
#define CPACR_FPU 0xF00000u
#define FPCCR_MASK 0xC0000000u          /* ASPEN, LSPEN */
#define FPDSCR_MASK 0x07C00000u

/* ---- interrupt control and state ---- */

static bool any_irq_pending(const struct cpu *cpu)
{
    uint64_t set = cpu->pending[0] >> EXC_IRQ0;
    for (unsigned i = 1; i < EXC_WORDS; i++)
        set |= cpu->pending[i];
    return set;
}

static bool none_below(const struct cpu *cpu)   /* is the current exception the only active one? */
{
    int count = 0;
    for (unsigned i = 0; i < EXC_WORDS; i++)
        count += __builtin_popcountll(cpu->active[i]);
    return count <= 1;
}

static uint32_t read_icsr(const struct cpu *cpu)
{
    uint32_t value = cpu->ipsr | (uint32_t)exception_next(cpu, true) << 12;
    if (none_below(cpu))
        value |= ICSR_RETTOBASE;
    if (any_irq_pending(cpu))
        value |= ICSR_ISRPENDING;
    if (exception_in(cpu->pending, EXC_NMI))
        value |= ICSR_NMIPENDSET;
    if (exception_in(cpu->pending, EXC_PENDSV))
        value |= ICSR_PENDSVSET;
    if (exception_in(cpu->pending, EXC_SYSTICK))
        value |= ICSR_PENDSTSET;
    return value;
}

static void write_icsr(struct cpu *cpu, uint32_t value)
{
    if (value & ICSR_PENDSVCLR)
        exception_unpend(cpu, EXC_PENDSV);
    if (value & ICSR_PENDSTCLR)
        exception_unpend(cpu, EXC_SYSTICK);
    if (value & ICSR_NMIPENDSET)
        exception_pend(cpu, EXC_NMI);
    if (value & ICSR_PENDSVSET)
        exception_pend(cpu, EXC_PENDSV);
    if (value & ICSR_PENDSTSET)
        exception_pend(cpu, EXC_SYSTICK);
}

static void write_aircr(struct cpu *cpu, uint32_t value)
{
    if ((value & 0xFFFF0000u) != AIRCR_KEY)
        return;
    cpu->prigroup = value >> 8 & 7;
    if (value & AIRCR_SYSRESETREQ)
        cpu->reset_requested = true;
    cpu_attend(cpu);
}

/* ---- system handlers: their priorities, and which are enabled, active and pending ---- */

static uint32_t read_shpr(const struct cpu *cpu, uint32_t address)
{
    const uint8_t *p = &cpu->priority[4 + (address - SHPR1)];
    return memory_peek(p, 4);
}

/* Exceptions 7 to 10 and 13 do not exist. */
static void write_shpr(struct cpu *cpu, uint32_t address, uint32_t value)
{
    uint32_t mask = 0xFF00u >> cpu->config.priority_bits & 0xFF;
    for (unsigned i = 0; i < 4; i++) {
        unsigned number = 4 + (address - SHPR1) + i;
        if (number <= EXC_USAGEFAULT || number == EXC_SVCALL || number == EXC_DEBUGMONITOR ||
            number >= EXC_PENDSV)
            cpu->priority[number] = (uint8_t)(value >> (8 * i) & mask);
    }
    cpu_attend(cpu);
}

static uint32_t read_shcsr(const struct cpu *cpu)
{
    enum { NO_BIT = 16 };
    static const struct {
        uint8_t number, active_bit, pending_bit;
    } handlers[] = {{EXC_MEMMANAGE, 0, 13}, {EXC_BUSFAULT, 1, 14}, {EXC_USAGEFAULT, 3, 12},
                    {EXC_SVCALL, 7, 15},    {EXC_DEBUGMONITOR, 8, NO_BIT},
                    {EXC_PENDSV, 10, NO_BIT}, {EXC_SYSTICK, 11, NO_BIT}};
    uint32_t value = cpu->shcsr_enables;
    for (unsigned i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (exception_active(cpu, handlers[i].number))
            value |= 1u << handlers[i].active_bit;
        if (handlers[i].pending_bit != NO_BIT && exception_in(cpu->pending, handlers[i].number))
            value |= 1u << handlers[i].pending_bit;
    }
    return value;
}

/* ---- floating point ---- */

static void write_cpacr(struct cpu *cpu, uint32_t value)
{
    fp_leave(cpu);
    cpu->cpacr = cpu->config.has_fpu ? value & CPACR_FPU : 0;
}

static bool fp_register(struct cpu *cpu, uint32_t address, uint32_t **at, uint32_t *mask)
{
    switch (address) {
    case FPCCR:
        *at = &cpu->fpccr;
        *mask = FPCCR_MASK;
        return cpu->config.has_fpu;
    case FPCAR:
        *at = &cpu->fpcar;
        *mask = ~7u;
        return cpu->config.has_fpu;
    case FPDSCR:
        *at = &cpu->fpdscr;
        *mask = FPDSCR_MASK;
        return cpu->config.has_fpu;
    default:
        return false;
    }
}

/* ---- registers ---- */

uint32_t scs_read(struct cpu *cpu, uint32_t address)
{
    uint32_t value = 0, mask, *at;
    if (address >= SYSTICK_FIRST && address <= SYSTICK_LAST && systick_read(cpu, address, &value))
        return value;
    if (nvic_read(cpu, address, &value))
        return value;
    if (fp_register(cpu, address, &at, &mask))
        return *at;
    if (address >= SHPR1 && address <= SHPR3)
        return read_shpr(cpu, address);
    switch (address) {
    case ICTR:
        return (cpu->config.n_irqs - 1) / 32;
    case CPUID:
        return cpu->config.cpuid;
    case ICSR:
        return read_icsr(cpu);
    case VTOR:
        return cpu->vtor;
    case AIRCR:
        return 0xFA050000u | cpu->prigroup << 8;
    case SCR:
        return cpu->scr;
    case CCR:
        return cpu->ccr;
    case SHCSR:
        return read_shcsr(cpu);
    case CFSR:
        return cpu->cfsr;
    case HFSR:
        return cpu->hfsr;
    case MMFAR:
        return cpu->mmfar;
    case BFAR:
        return cpu->bfar;
    case CPACR:
        return cpu->cpacr;
    case DEMCR:
        return cpu->dwt.trace ? DEMCR_TRCENA : 0;
    case MVFR0:
        return cpu->config.has_fpu ? 0x10110021u : 0;   /* 100166, section 7.3 */
    case MVFR1:
        return cpu->config.has_fpu ? 0x11000011u : 0;
    default:
        return 0;
    }
}

void scs_write(struct cpu *cpu, uint32_t address, uint32_t value)
{
    uint32_t mask, *at;
    if (address >= SYSTICK_FIRST && address <= SYSTICK_LAST && systick_write(cpu, address, value))
        return;
    if (nvic_write(cpu, address, value))
        return;
    if (fp_register(cpu, address, &at, &mask)) {
        *at = value & mask;
        return;
    }
    if (address >= SHPR1 && address <= SHPR3) {
        write_shpr(cpu, address, value);
        return;
    }
    switch (address) {
    case ICSR:
        write_icsr(cpu, value);
        break;
    case VTOR:
        cpu->vtor = value & ~0x7Fu;
        break;
    case AIRCR:
        write_aircr(cpu, value);
        break;
    case SCR:
        cpu->scr = value & SCR_MASK;
        break;
    case CCR:
        cpu->ccr = value & CCR_MASK;
        break;
    case SHCSR:
        cpu->shcsr_enables = value & SHCSR_ENABLES;
        break;
    case CFSR:
        cpu->cfsr &= ~value;
        break;
    case HFSR:
        cpu->hfsr &= ~value;
        break;
    case MMFAR:
        cpu->mmfar = value;
        break;
    case BFAR:
        cpu->bfar = value;
        break;
    case CPACR:
        write_cpacr(cpu, value);
        break;
    case DEMCR:
        dwt_trace(cpu, value & DEMCR_TRCENA);
        break;
    case STIR:
        if ((value & 0x1FF) < cpu->config.n_irqs)
            exception_pend(cpu, EXC_IRQ0 + (int)(value & 0x1FF));
        break;
    default:
        break;
    }
}
