/* SPDX-License-Identifier: MIT
 *
 * nvic.c -- enabling, pending, active bits and priorities of the interrupts (the ARM, section
 * B3.4). Interrupts that the core does not have read as zero and ignore writes. */
#include "cpu.h"

#define ISER 0xE000E100u
#define ICER 0xE000E180u
#define ISPR 0xE000E200u
#define ICPR 0xE000E280u
#define IABR 0xE000E300u
#define IPR 0xE000E400u
#define BANK_SIZE 0x20u
#define IPR_SIZE 0xF0u

/* Exceptions 16 + first .. 47 + first, for a register of 32 interrupts. */
static uint32_t take(const uint64_t set[EXC_WORDS], unsigned first)
{
    unsigned number = EXC_IRQ0 + first;
    uint64_t word = set[number / 64] >> (number % 64);
    if (number % 64 > 32 && number / 64 + 1 < EXC_WORDS)
        word |= set[number / 64 + 1] << (64 - number % 64);
    return (uint32_t)word;
}

static void change(uint64_t set[EXC_WORDS], unsigned first, uint32_t bits, bool in)
{
    for (; bits; bits &= bits - 1) {
        unsigned number = EXC_IRQ0 + first + (unsigned)__builtin_ctz(bits);
        uint64_t bit = (uint64_t)1 << (number % 64);
        set[number / 64] = in ? set[number / 64] | bit : set[number / 64] & ~bit;
    }
}

/* Of 32 interrupts from `first` on, those there are. */
static uint32_t existing(const struct cpu *cpu, unsigned first)
{
    unsigned n = cpu->config.n_irqs;
    return n >= first + 32 ? ~0u : n > first ? (1u << (n - first)) - 1 : 0;
}

static void pend(struct cpu *cpu, unsigned first, uint32_t bits)
{
    for (; bits; bits &= bits - 1)
        exception_pend(cpu, EXC_IRQ0 + (int)first + __builtin_ctz(bits));
}

/* ---- priorities: four a register ---- */

static uint32_t read_priorities(const struct cpu *cpu, unsigned irq)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)cpu->priority[EXC_IRQ0 + irq + i] << (8 * i);
    return value;
}

static void write_priorities(struct cpu *cpu, unsigned irq, uint32_t value)
{
    uint32_t mask = 0xFF00u >> cpu->config.priority_bits & 0xFF;
    for (unsigned i = 0; i < 4 && irq + i < cpu->config.n_irqs; i++)
        cpu->priority[EXC_IRQ0 + irq + i] = (uint8_t)(value >> (8 * i) & mask);
    cpu_attend(cpu);
}

/* ---- registers ---- */

static unsigned first_of(uint32_t address)
{
    return (address & (BANK_SIZE - 1)) * 8;
}

bool nvic_read(const struct cpu *cpu, uint32_t address, uint32_t *value)
{
    unsigned first = first_of(address);
    if (address - IPR < IPR_SIZE) {
        *value = read_priorities(cpu, address - IPR);
        return true;
    }
    switch (address & ~(BANK_SIZE - 1)) {
    case ISER:
    case ICER:
        *value = take(cpu->enabled, first);
        return true;
    case ISPR:
    case ICPR:
        *value = take(cpu->pending, first);
        return true;
    case IABR:
        *value = take(cpu->active, first);
        return true;
    default:
        return false;
    }
}

bool nvic_write(struct cpu *cpu, uint32_t address, uint32_t value)
{
    unsigned first = first_of(address);
    if (address - IPR < IPR_SIZE) {
        write_priorities(cpu, address - IPR, value);
        return true;
    }
    value &= existing(cpu, first);
    switch (address & ~(BANK_SIZE - 1)) {
    case ISER:
        change(cpu->enabled, first, value, true);
        cpu_attend(cpu);
        return true;
    case ICER:
        change(cpu->enabled, first, value, false);
        return true;
    case ISPR:
        pend(cpu, first, value);
        return true;
    case ICPR:          /* a level that is still asserted pends again at once */
        change(cpu->pending, first, value & ~take(cpu->level, first), false);
        return true;
    default:
        return false;
    }
}
