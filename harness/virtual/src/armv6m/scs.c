/* SPDX-License-Identifier: MIT
 *
 * scs.c -- system control space: NVIC and system control block (the ARM, sections B3.2 and B3.4).
 * Registers that ARMv6-M reserves read as zero and ignore writes. */
#include "cpu.h"

#define SYSTICK_FIRST 0xE000E010u
#define SYSTICK_LAST 0xE000E01Cu
#define NVIC_ISER 0xE000E100u
#define NVIC_ICER 0xE000E180u
#define NVIC_ISPR 0xE000E200u
#define NVIC_ICPR 0xE000E280u
#define NVIC_IPR 0xE000E400u
#define NVIC_IPR_LAST 0xE000E41Cu
#define CPUID 0xE000ED00u
#define ICSR 0xE000ED04u
#define VTOR 0xE000ED08u
#define AIRCR 0xE000ED0Cu
#define SCR 0xE000ED10u
#define CCR 0xE000ED14u
#define SHPR2 0xE000ED1Cu
#define SHPR3 0xE000ED20u
#define SHCSR 0xE000ED24u

#define CPUID_M0PLUS 0x410CC601u        /* the TRM, section 4.1: r0p1 */
#define CCR_FIXED 0x208u                /* STKALIGN, UNALIGN_TRP */
#define AIRCR_KEY 0x05FA0000u
#define AIRCR_SYSRESETREQ (1u << 2)
#define SCR_MASK 0x16u                  /* SEVONPEND, SLEEPDEEP, SLEEPONEXIT */
#define ICSR_NMIPENDSET (1u << 31)
#define ICSR_PENDSVSET (1u << 28)
#define ICSR_PENDSVCLR (1u << 27)
#define ICSR_PENDSTSET (1u << 26)
#define ICSR_PENDSTCLR (1u << 25)
#define ICSR_ISRPENDING (1u << 22)
#define SHCSR_SVCALLPENDED (1u << 15)

static uint64_t bit(int number)
{
    return (uint64_t)1 << number;
}

static uint32_t irqs(uint64_t set)
{
    return (uint32_t)(set >> EXC_IRQ0);
}

/* ---- priorities: four a register, in the top two bits of each byte ---- */

static uint32_t read_priorities(const struct cpu *cpu, int first)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)cpu->priority[first + i] << (8 * i + 6);
    return value;
}

static void write_priorities(struct cpu *cpu, int first, int skip, uint32_t value)
{
    for (int i = skip; i < 4; i++)
        cpu->priority[first + i] = value >> (8 * i + 6) & 3;
    cpu_attend(cpu);
}

/* ---- interrupt control and state ---- */

static uint32_t read_icsr(const struct cpu *cpu)
{
    int next = exception_next(cpu, true);
    uint32_t value = cpu->ipsr | (uint32_t)next << 12;
    if (irqs(cpu->pending))
        value |= ICSR_ISRPENDING;
    if (cpu->pending & bit(EXC_NMI))
        value |= ICSR_NMIPENDSET;
    if (cpu->pending & bit(EXC_PENDSV))
        value |= ICSR_PENDSVSET;
    if (cpu->pending & bit(EXC_SYSTICK))
        value |= ICSR_PENDSTSET;
    return value;
}

static void write_icsr(struct cpu *cpu, uint32_t value)
{
    if (value & ICSR_PENDSVCLR)
        cpu->pending &= ~bit(EXC_PENDSV);
    if (value & ICSR_PENDSTCLR)
        cpu->pending &= ~bit(EXC_SYSTICK);
    if (value & ICSR_NMIPENDSET)
        exception_pend(cpu, EXC_NMI);
    if (value & ICSR_PENDSVSET)
        exception_pend(cpu, EXC_PENDSV);
    if (value & ICSR_PENDSTSET)
        exception_pend(cpu, EXC_SYSTICK);
}

static void write_aircr(struct cpu *cpu, uint32_t value)
{
    if ((value & 0xFFFF0000u) != AIRCR_KEY || !(value & AIRCR_SYSRESETREQ))
        return;
    cpu->reset_requested = true;
    cpu->stop_at = 0;
}

/* ---- NVIC set and clear registers ---- */

static void pend_irqs(struct cpu *cpu, uint32_t value)
{
    for (; value; value &= value - 1)
        exception_pend(cpu, EXC_IRQ0 + __builtin_ctz(value));
}

/* A level that is still asserted pends again at once (the ARM, section B3.4.1). */
static void unpend_irqs(struct cpu *cpu, uint32_t value)
{
    uint64_t set = (uint64_t)value << EXC_IRQ0;
    cpu->pending &= ~(set & ~cpu->level);
}

bool scs_read(struct cpu *cpu, uint32_t address, uint32_t *value)
{
    *value = 0;
    if (address >= SYSTICK_FIRST && address <= SYSTICK_LAST)
        return systick_read(cpu, address, value);
    if (address >= NVIC_IPR && address <= NVIC_IPR_LAST) {
        *value = read_priorities(cpu, EXC_IRQ0 + (int)(address - NVIC_IPR));
        return true;
    }
    switch (address) {
    case NVIC_ISER:
    case NVIC_ICER:
        *value = irqs(cpu->enabled);
        break;
    case NVIC_ISPR:
    case NVIC_ICPR:
        *value = irqs(cpu->pending);
        break;
    case CPUID:
        *value = CPUID_M0PLUS;
        break;
    case ICSR:
        *value = read_icsr(cpu);
        break;
    case VTOR:
        *value = cpu->vtor;
        break;
    case AIRCR:
        *value = 0xFA050000u;
        break;
    case SCR:
        *value = cpu->scr;
        break;
    case CCR:
        *value = CCR_FIXED;
        break;
    case SHPR2:
        *value = read_priorities(cpu, 8);
        break;
    case SHPR3:
        *value = read_priorities(cpu, 12);
        break;
    case SHCSR:
        *value = cpu->pending & bit(EXC_SVCALL) ? SHCSR_SVCALLPENDED : 0;
        break;
    default:
        break;
    }
    return true;
}

bool scs_write(struct cpu *cpu, uint32_t address, uint32_t value)
{
    if (address >= SYSTICK_FIRST && address <= SYSTICK_LAST)
        return systick_write(cpu, address, value);
    if (address >= NVIC_IPR && address <= NVIC_IPR_LAST) {
        write_priorities(cpu, EXC_IRQ0 + (int)(address - NVIC_IPR), 0, value);
        return true;
    }
    switch (address) {
    case NVIC_ISER:
        cpu->enabled |= (uint64_t)value << EXC_IRQ0;
        cpu_attend(cpu);
        break;
    case NVIC_ICER:
        cpu->enabled &= ~((uint64_t)value << EXC_IRQ0);
        break;
    case NVIC_ISPR:
        pend_irqs(cpu, value);
        break;
    case NVIC_ICPR:
        unpend_irqs(cpu, value);
        break;
    case ICSR:
        write_icsr(cpu, value);
        break;
    case VTOR:
        cpu->vtor = value & ~0xFFu;
        break;
    case AIRCR:
        write_aircr(cpu, value);
        break;
    case SCR:
        cpu->scr = value & SCR_MASK;
        break;
    case SHPR2:
        write_priorities(cpu, 8, 3, value);
        break;
    case SHPR3:
        write_priorities(cpu, 12, 2, value);
        break;
    default:
        break;
    }
    return true;
}
