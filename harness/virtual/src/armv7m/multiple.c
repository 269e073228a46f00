/* SPDX-License-Identifier: MIT
 *
 * multiple.c -- loads and stores of several registers, of pairs, exclusive ones, and table branches
 * (the ARM, sections A5.3.5 and A5.3.6). Addresses must be aligned, whatever CCR says. */
#include "memory.h"
#include "timing.h"
#include "wide.h"

#define WRITE_BACK (1u << 21)

static inline uint32_t length(unsigned list)
{
    return (uint32_t)__builtin_popcount(list);
}

/* ---- lists: bit n is Rn, bit 15 the PC ---- */

static bool store_list(struct cpu *cpu, uint32_t address, unsigned list)
{
    CHARGE_N(cpu, TRANSFER, length(list));
    for (; list; list &= list - 1, address += 4)
        if (!memory_write_strict(cpu, address, 4, cpu->r[__builtin_ctz(list)]))
            return false;
    return true;
}

/* All are read before any register changes, then the base is, if `base` is not 16, then the PC. */
static bool load_list(struct cpu *cpu, uint32_t address, unsigned list, unsigned base, uint32_t end)
{
    uint32_t loaded[16];
    for (unsigned left = list; left; left &= left - 1, address += 4)
        if (!memory_read_strict(cpu, address, 4, &loaded[__builtin_ctz(left)]))
            return false;
    for (unsigned left = list & 0x7FFFu; left; left &= left - 1)
        write_register(cpu, (unsigned)__builtin_ctz(left), loaded[__builtin_ctz(left)]);
    if (base < 16)
        write_register(cpu, base, end);
    CHARGE_N(cpu, TRANSFER, length(list));
    if (list & 0x8000) {
        CHARGE(cpu, REFILL);
        write_pc(cpu, loaded[15]);
    }
    return true;
}

bool push(struct cpu *cpu, unsigned halfword)
{
    unsigned list = (halfword & 0xFF) | (halfword & 0x100 ? 1u << LR : 0);
    uint32_t sp = cpu->r[SP] - 4 * length(list);
    if (!store_list(cpu, sp, list))
        return false;
    set_sp(cpu, sp);
    CHARGE(cpu, MULTIPLE);
    return true;
}

bool pop(struct cpu *cpu, unsigned halfword)
{
    unsigned list = (halfword & 0xFF) | (halfword & 0x100 ? 0x8000u : 0);
    CHARGE(cpu, MULTIPLE);
    return load_list(cpu, cpu->r[SP], list, SP, cpu->r[SP] + 4 * length(list));
}

bool store_multiple_low(struct cpu *cpu, unsigned halfword)
{
    unsigned base = halfword >> 8 & 7, list = halfword & 0xFF;
    if (!store_list(cpu, cpu->r[base], list))
        return false;
    cpu->r[base] += 4 * length(list);
    CHARGE(cpu, MULTIPLE);
    return true;
}

bool load_multiple_low(struct cpu *cpu, unsigned halfword)
{
    unsigned base = halfword >> 8 & 7, list = halfword & 0xFF;
    CHARGE(cpu, MULTIPLE);
    return load_list(cpu, cpu->r[base], list, list >> base & 1 ? 16 : base,
                     cpu->r[base] + 4 * length(list));
}

/* Bit 24: DB, the list ends below the base; else IA, it begins there. */
bool store_multiple(struct cpu *cpu, const struct wide *w)
{
    unsigned list = w->word & 0xFFFF;
    uint32_t base = cpu->r[RN(w)], bytes = 4 * length(list);
    bool down = BIT(w, 24);
    if (!store_list(cpu, down ? base - bytes : base, list))
        return false;
    if (w->word & WRITE_BACK)
        write_register(cpu, RN(w), down ? base - bytes : base + bytes);
    return true;
}

bool load_multiple(struct cpu *cpu, const struct wide *w)
{
    unsigned list = w->word & 0xFFFF;
    uint32_t base = cpu->r[RN(w)], bytes = 4 * length(list);
    bool down = BIT(w, 24);
    return load_list(cpu, down ? base - bytes : base, list, w->word & WRITE_BACK ? RN(w) : 16,
                     down ? base - bytes : base + bytes);
}

/* ---- pairs ---- */

static uint32_t pair_indexed(const struct cpu *cpu, const struct wide *w)
{
    uint32_t base = RN(w) == 15 ? cpu->pc & ~3u : cpu->r[RN(w)], offset = 4 * (w->word & 0xFF);
    return BIT(w, 23) ? base + offset : base - offset;
}

static uint32_t pair_at(const struct cpu *cpu, const struct wide *w)
{
    return BIT(w, 24) ? pair_indexed(cpu, w) : cpu->r[RN(w)];
}

bool load_dual(struct cpu *cpu, const struct wide *w)
{
    uint32_t address = pair_at(cpu, w), after = pair_indexed(cpu, w), first, second;
    if (!memory_read_strict(cpu, address, 4, &first) ||
        !memory_read_strict(cpu, address + 4, 4, &second))
        return false;
    cpu->r[RT(w)] = first;
    cpu->r[RD(w)] = second;
    if (w->word & WRITE_BACK)
        write_register(cpu, RN(w), after);
    CHARGE_N(cpu, TRANSFER, 2);
    return true;
}

bool store_dual(struct cpu *cpu, const struct wide *w)
{
    uint32_t address = pair_at(cpu, w), after = pair_indexed(cpu, w);
    if (!memory_write_strict(cpu, address, 4, cpu->r[RT(w)]) ||
        !memory_write_strict(cpu, address + 4, 4, cpu->r[RD(w)]))
        return false;
    if (w->word & WRITE_BACK)
        write_register(cpu, RN(w), after);
    CHARGE_N(cpu, TRANSFER, 2);
    return true;
}

/* ---- exclusives: one processor, so only the local monitor ---- */

static bool exclusive_read(struct cpu *cpu, uint32_t address, unsigned size, unsigned t)
{
    if (!memory_read_strict(cpu, address, size, &cpu->r[t]))
        return false;
    cpu->exclusive = true;
    return true;
}

/* Writes 0 to Rd if the store was done, else 1. */
static bool exclusive_write(struct cpu *cpu, uint32_t address, unsigned size, unsigned t,
                            unsigned d)
{
    if (address & (size - 1))
        return refuse(cpu, FAULT_UNALIGNED, address);
    if (cpu->exclusive && !memory_write_strict(cpu, address, size, cpu->r[t]))
        return false;
    cpu->r[d] = !cpu->exclusive;
    cpu->exclusive = false;
    return true;
}

bool load_exclusive(struct cpu *cpu, const struct wide *w)
{
    return exclusive_read(cpu, cpu->r[RN(w)] + 4 * (w->word & 0xFF), 4, RT(w));
}

bool store_exclusive(struct cpu *cpu, const struct wide *w)
{
    return exclusive_write(cpu, cpu->r[RN(w)] + 4 * (w->word & 0xFF), 4, RT(w), RD(w));
}

bool load_exclusive_narrow(struct cpu *cpu, const struct wide *w)
{
    return exclusive_read(cpu, cpu->r[RN(w)], BIT(w, 4) ? 2 : 1, RT(w));
}

bool store_exclusive_narrow(struct cpu *cpu, const struct wide *w)
{
    return exclusive_write(cpu, cpu->r[RN(w)], BIT(w, 4) ? 2 : 1, RT(w), RM(w));
}

/* ---- TBB, TBH ---- */

bool table_branch(struct cpu *cpu, const struct wide *w)
{
    uint32_t base = RN(w) == 15 ? cpu->pc : cpu->r[RN(w)], index = cpu->r[RM(w)], halfwords;
    bool wide_entries = BIT(w, 4);
    if (!(wide_entries ? memory_read(cpu, base + 2 * index, 2, &halfwords)
                       : memory_read(cpu, base + index, 1, &halfwords)))
        return false;
    cpu->pc += 2 * halfwords;
    return true;
}
