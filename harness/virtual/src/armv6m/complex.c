/* SPDX-License-Identifier: MIT
 *
 * complex.c -- see complex.h. */
#include "complex.h"

#include "memory.h"
#include "timing.h"

#define MASK32(bit) (1u << (bit))

/* ---- branches ---- */

void write_pc(struct cpu *cpu, uint32_t target, bool may_return)
{
    if (may_return && cpu->ipsr && target >= 0xF0000000u) {
        exception_return(cpu, target);
        return;
    }
    cpu->pc = target & ~1u;
    if (!(target & 1)) {
        cpu->thumb = false;
        cpu_attend(cpu);
    }
}

/* ---- multiple loads and stores ---- */

static bool store_list(struct cpu *cpu, uint32_t address, unsigned list)
{
    for (; list; list &= list - 1, address += 4)
        if (!memory_write(cpu, address, 4, cpu->r[__builtin_ctz(list)]))
            return false;
    return true;
}

/* All are read before any register changes. Bit 15 of the list goes to *pc. */
static bool load_list(struct cpu *cpu, uint32_t address, unsigned list, uint32_t *pc)
{
    uint32_t loaded[16];
    for (unsigned left = list; left; left &= left - 1, address += 4)
        if (!memory_read(cpu, address, 4, &loaded[__builtin_ctz(left)]))
            return false;
    for (unsigned left = list & 0x7FFFu; left; left &= left - 1)
        cpu->r[__builtin_ctz(left)] = loaded[__builtin_ctz(left)];
    if (list & MASK32(15))
        *pc = loaded[15];
    return true;
}

static inline uint32_t list_length(unsigned list)
{
    return (uint32_t)__builtin_popcount(list);
}

bool push(struct cpu *cpu, unsigned halfword)
{
    unsigned list = (halfword & 0xFF) | (halfword & 0x100 ? MASK32(LR) : 0);
    uint32_t sp = cpu->r[SP] - 4 * list_length(list);
    if (!store_list(cpu, sp, list))
        return false;
    set_sp(cpu, sp);
    cpu->cycles += CYCLES_MULTIPLE + list_length(list);
    return true;
}

bool pop(struct cpu *cpu, unsigned halfword)
{
    unsigned list = (halfword & 0xFF) | (halfword & 0x100 ? MASK32(15) : 0);
    uint32_t target = 0;
    if (!load_list(cpu, cpu->r[SP], list, &target))
        return false;
    cpu->r[SP] += 4 * list_length(list);
    if (list & MASK32(15)) {
        cpu->cycles += CYCLES_POP_PC + list_length(list);
        write_pc(cpu, target, true);
    } else {
        cpu->cycles += CYCLES_MULTIPLE + list_length(list);
    }
    return true;
}

bool store_multiple(struct cpu *cpu, unsigned halfword)
{
    unsigned base = halfword >> 8 & 7, list = halfword & 0xFF;
    if (!store_list(cpu, cpu->r[base], list))
        return false;
    cpu->r[base] += 4 * list_length(list);
    cpu->cycles += CYCLES_MULTIPLE + list_length(list);
    return true;
}

bool load_multiple(struct cpu *cpu, unsigned halfword)
{
    unsigned base = halfword >> 8 & 7, list = halfword & 0xFF;
    uint32_t end = cpu->r[base] + 4 * list_length(list), pc;
    if (!load_list(cpu, cpu->r[base], list, &pc))
        return false;
    if (!(list >> base & 1))
        cpu->r[base] = end;
    cpu->cycles += CYCLES_MULTIPLE + list_length(list);
    return true;
}

/* ---- system instructions ---- */

void change_primask(struct cpu *cpu, bool primask)
{
    cpu->primask = primask;
    cpu_attend(cpu);
}

void wait_for_interrupt(struct cpu *cpu)
{
    cpu->sleeping = true;
    cpu->sleeping_for_event = false;
    cpu_attend(cpu);
}

void wait_for_event(struct cpu *cpu)
{
    if (cpu->event_register) {
        cpu->event_register = false;
        return;
    }
    cpu->sleeping = cpu->sleeping_for_event = true;
    cpu_attend(cpu);
}

static void branch_with_link(struct cpu *cpu, uint32_t pc, unsigned first, unsigned second)
{
    uint32_t s = first >> 10 & 1;
    uint32_t i1 = ~(second >> 13 ^ s) & 1, i2 = ~(second >> 11 ^ s) & 1;
    uint32_t offset = (s ? 0xFF000000u : 0) | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 |
                      (second & 0x7FF) << 1;
    cpu->r[LR] = (pc + 4) | 1;
    cpu->pc = pc + 4 + offset;
    cpu->cycles += CYCLES_BL;
}

static enum fault move_to_special(struct cpu *cpu, unsigned first, unsigned second)
{
    unsigned rn = first & 0xF;
    if (first & 0x10 || (second & 0x2F00) != 0x0800 || rn == SP || rn == 15)
        return FAULT_UNPREDICTABLE;
    return system_msr(cpu, second & 0xFF, cpu->r[rn]) ? FAULT_NONE : FAULT_UNPREDICTABLE;
}

static enum fault move_from_special(struct cpu *cpu, unsigned first, unsigned second)
{
    unsigned rd = second >> 8 & 0xF;
    if ((first & 0x1F) != 0xF || (second & 0x2000) || rd == SP || rd == 15)
        return FAULT_UNPREDICTABLE;
    return system_mrs(cpu, second & 0xFF, &cpu->r[rd]) ? FAULT_NONE : FAULT_UNPREDICTABLE;
}

/* DSB, DMB, ISB are options 4 to 6 of the miscellaneous control instructions; the rest of these do
 * not exist here. Memory is always in order, so there is nothing to wait for. */
static enum fault barrier(unsigned first, unsigned second)
{
    unsigned option = second >> 4 & 0xF;
    if (option < 4 || option > 6)
        return FAULT_UNDEFINED;
    return first == 0xF3BF && (second & 0x2F00) == 0x0F00 ? FAULT_NONE : FAULT_UNPREDICTABLE;
}

static enum fault system_instruction(struct cpu *cpu, unsigned first, unsigned second)
{
    if ((second & 0xD000) != 0x8000)
        return FAULT_UNDEFINED;
    if ((first & 0xFFE0) == 0xF380)
        return move_to_special(cpu, first, second);
    if ((first & 0xFFE0) == 0xF3E0)
        return move_from_special(cpu, first, second);
    if ((first & 0xFFF0) == 0xF3B0)
        return barrier(first, second);
    return FAULT_UNDEFINED;
}

enum fault wide(struct cpu *cpu, uint32_t pc, unsigned first, unsigned second)
{
    if ((second & 0xD000) == 0xD000) {
        branch_with_link(cpu, pc, first, second);
        return FAULT_NONE;
    }
    enum fault fault = system_instruction(cpu, first, second);
    if (fault == FAULT_NONE)
        cpu->cycles += CYCLES_SYSTEM;
    return fault;
}
