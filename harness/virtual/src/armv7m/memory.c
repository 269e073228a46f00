/* SPDX-License-Identifier: MIT
 *
 * memory.c -- accesses outside the main RAM: other memories, the private peripheral bus, devices,
 * or nothing; and unaligned ones (the ARM, sections A3.2.1 and B3.1). */
#include "memory.h"

#include "timing.h"

#define PPB_BASE 0xE0000000u        /* ITM, DWT, FPB below 0xE0003000; SCS from 0xE000E000 on */
#define PPB_SIZE 0x100000u
#define DEBUG_END 0xE0003000u
#define SCS_BASE 0xE000E000u
#define SCS_SIZE 0x1000u
#define NVIC_IPR 0xE000E400u
#define NVIC_IPR_SIZE 0xF0u
#define SHPR1 0xE000ED18u
#define SHPR_SIZE 12u
#define CFSR 0xE000ED28u
#define STIR 0xE000EF00u
#define CCR_USERSETMPEND 2u
#define CCR_UNALIGN_TRP 8u

bool refuse(struct cpu *cpu, enum fault fault, uint32_t address)
{
    cpu->access_fault = fault;
    cpu->access_address = address;
    return false;
}

static const struct cpu_memory *find(const struct cpu *cpu, uint32_t address, unsigned size)
{
    const struct cpu_config *c = &cpu->config;
    for (unsigned i = 0; i < c->n_memories; i++)
        if (memory_holds(&c->memory[i], address, size))
            return &c->memory[i];
    return NULL;
}

/* ---- the private peripheral bus ---- */

static bool user_may(const struct cpu *cpu, uint32_t address, bool write)
{
    if (cpu_privileged(cpu) && !cpu->as_user)
        return true;
    return write && address == STIR && (cpu->ccr & CCR_USERSETMPEND);
}

/* Registers that also take bytes and halfwords (the ARM, sections B3.2.1 and B3.4.1). */
static bool takes_bytes(uint32_t address)
{
    return address - NVIC_IPR < NVIC_IPR_SIZE || address - SHPR1 < SHPR_SIZE ||
           address - CFSR < 4;
}

static bool ppb_has(uint32_t address, unsigned size)
{
    if (address < DEBUG_END)
        return true;
    return address - SCS_BASE < SCS_SIZE && (size == 4 || takes_bytes(address));
}

static uint32_t ppb_word(struct cpu *cpu, uint32_t address)
{
    return address < DEBUG_END ? dwt_read(cpu, address) : scs_read(cpu, address);
}

static bool ppb_read(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value)
{
    if (!ppb_has(address, size) || !user_may(cpu, address, false))
        return false;
    uint32_t word = ppb_word(cpu, address & ~3u) >> (8 * (address & 3));
    *value = size == 4 ? word : word & ((1u << (8 * size)) - 1);
    return true;
}

static bool ppb_write(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value)
{
    if (!ppb_has(address, size) || !user_may(cpu, address, true))
        return false;
    if (size < 4) {
        uint32_t shift = 8 * (address & 3), mask = ((1u << (8 * size)) - 1) << shift;
        uint32_t others = address - CFSR < 4 ? 0 : ppb_word(cpu, address & ~3u) & ~mask;
        value = others | (value << shift & mask);
    }
    if (address < DEBUG_END)
        dwt_write(cpu, address & ~3u, value);
    else
        scs_write(cpu, address & ~3u, value);
    return true;
}

/* ---- aligned accesses ---- */

bool memory_read_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value)
{
    const struct cpu_memory *m = find(cpu, address, size);
    bool ok;
    if (m) {
        *value = memory_peek(m->bytes + (address - m->base), size);
        return true;
    }
    if (address - PPB_BASE < PPB_SIZE)
        ok = ppb_read(cpu, address, size, value);
    else
        ok = cpu->bus.read && cpu->bus.read(cpu->bus.context, address, size, value);
    return ok || refuse(cpu, FAULT_UNMAPPED, address);
}

bool memory_write_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value)
{
    const struct cpu_memory *m = find(cpu, address, size);
    bool ok;
    if (m && m->writable) {
        memcpy(m->bytes + (address - m->base), &value, size);
        return true;
    }
    if (size < 4)
        value &= (1u << (8 * size)) - 1;
    if (address - PPB_BASE < PPB_SIZE)
        ok = ppb_write(cpu, address, size, value);
    else
        ok = cpu->bus.write && cpu->bus.write(cpu->bus.context, address, size, value);
    return ok || refuse(cpu, FAULT_UNMAPPED, address);
}

/* ---- unaligned ones: memories only, devices and the SCS fault ---- */

static const struct cpu_memory *unaligned_at(struct cpu *cpu, uint32_t address, unsigned size)
{
    const struct cpu_memory *m = find(cpu, address, size);
    if (cpu->ccr & CCR_UNALIGN_TRP)
        refuse(cpu, FAULT_UNALIGNED, address);
    else if (!m)
        refuse(cpu, find(cpu, address, 1) ? FAULT_UNMAPPED : FAULT_UNALIGNED, address);
    else
        CHARGE(cpu, UNALIGNED);
    return cpu->ccr & CCR_UNALIGN_TRP ? NULL : m;
}

bool memory_read_unaligned(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value)
{
    const struct cpu_memory *m = unaligned_at(cpu, address, size);
    if (m)
        *value = memory_peek(m->bytes + (address - m->base), size);
    return m != NULL;
}

bool memory_write_unaligned(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value)
{
    const struct cpu_memory *m = unaligned_at(cpu, address, size);
    if (m && !m->writable)
        return refuse(cpu, FAULT_UNMAPPED, address);
    if (m)
        memcpy(m->bytes + (address - m->base), &value, size);
    return m != NULL;
}
