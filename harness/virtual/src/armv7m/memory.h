/* SPDX-License-Identifier: MIT
 *
 * memory.h -- loads and stores: RAM and the code memory inline, the rest through memory.c. A
 * function that returns false has left the reason and the address in `access_fault` and
 * `access_address`. */
#ifndef MEMORY_H
#define MEMORY_H

#include <string.h>

#include "cpu.h"

/* Always false: `return refuse(...)`. */
bool refuse(struct cpu *cpu, enum fault fault, uint32_t address);

bool memory_read_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value);
bool memory_write_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value);
bool memory_read_unaligned(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value);
bool memory_write_unaligned(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value);

static inline uint32_t memory_peek(const uint8_t *at, unsigned size)
{
    uint32_t word = 0;
    memcpy(&word, at, size);
    return word;
}

static inline bool memory_holds(const struct cpu_memory *m, uint32_t address, unsigned size)
{
    return address - m->base < m->size && m->size - (address - m->base) >= size;
}

/* `address` is aligned, and sizes of memories are multiples of 4. */
static inline bool memory_read_aligned(struct cpu *cpu, uint32_t address, unsigned size,
                                       uint32_t *value)
{
    const struct cpu_memory *m = &cpu->ram;
    if (__builtin_expect(address - m->base >= m->size, 0)) {
        m = &cpu->code;
        if (address - m->base >= m->size)
            return memory_read_other(cpu, address, size, value);
    }
    *value = memory_peek(m->bytes + (address - m->base), size);
    return true;
}

static inline bool memory_write_aligned(struct cpu *cpu, uint32_t address, unsigned size,
                                        uint32_t value)
{
    if (__builtin_expect(address - cpu->ram.base >= cpu->ram.size, 0))
        return memory_write_other(cpu, address, size, value);
    memcpy(cpu->ram.bytes + (address - cpu->ram.base), &value, size);
    return true;
}

/* LDR, STR, LDRH, STRH, LDRB, STRB and their kind: any address, unless CCR.UNALIGN_TRP. */
static inline bool memory_read(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0))
        return memory_read_unaligned(cpu, address, size, value);
    return memory_read_aligned(cpu, address, size, value);
}

static inline bool memory_write(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0))
        return memory_write_unaligned(cpu, address, size, value);
    return memory_write_aligned(cpu, address, size, value);
}

/* LDM, STM, LDRD, STRD, exclusives, VLDR, VSTR, stacks: aligned to `size` or a fault. */
static inline bool memory_read_strict(struct cpu *cpu, uint32_t address, unsigned size,
                                      uint32_t *value)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0))
        return refuse(cpu, FAULT_UNALIGNED, address);
    return memory_read_aligned(cpu, address, size, value);
}

static inline bool memory_write_strict(struct cpu *cpu, uint32_t address, unsigned size,
                                       uint32_t value)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0))
        return refuse(cpu, FAULT_UNALIGNED, address);
    return memory_write_aligned(cpu, address, size, value);
}

#endif
