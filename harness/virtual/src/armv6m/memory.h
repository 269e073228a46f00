/* SPDX-License-Identifier: MIT
 *
 * memory.h -- loads and stores: the two memories inline, the rest through memory.c. A function that
 * returns false has left the reason and the address in `access_fault` and `access_address`. */
#ifndef MEMORY_H
#define MEMORY_H

#include <string.h>

#include "cpu.h"

bool memory_fault(struct cpu *cpu, enum fault fault, uint32_t address);
bool memory_read_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value);
bool memory_write_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value);

/* One access to flash at `address` with the rws1 model: a cycle more if its line is not cached. */
static inline void memory_wait(struct cpu *cpu, uint32_t address)
{
    uint32_t line = address >> 3;
    if (cpu->cache.line[line & 7] != line || cpu->cache.bypass) {
        cpu->cache.line[line & 7] = line;
        cpu->cycles++;
    }
}

static inline uint32_t memory_peek(const uint8_t *at, unsigned size)
{
    uint32_t word = 0;
    memcpy(&word, at, size);
    return word;
}

static inline bool memory_read(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0))
        return memory_fault(cpu, FAULT_UNALIGNED, address);
    if (__builtin_expect(address - RAM_BASE < RAM_SIZE, 1)) {
        *value = memory_peek(cpu->ram + (address - RAM_BASE), size);
        return true;
    }
    if (__builtin_expect(address < FLASH_SIZE, 1)) {
        if (cpu->wait_states)
            memory_wait(cpu, address);
        *value = memory_peek(cpu->flash + address, size);
        return true;
    }
    return memory_read_other(cpu, address, size, value);
}

static inline bool memory_write(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0))
        return memory_fault(cpu, FAULT_UNALIGNED, address);
    if (__builtin_expect(address - RAM_BASE < RAM_SIZE, 1)) {
        memcpy(cpu->ram + (address - RAM_BASE), &value, size);
        return true;
    }
    return memory_write_other(cpu, address, size, value);
}

#endif
