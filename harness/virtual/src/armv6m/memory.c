/* SPDX-License-Identifier: MIT
 *
 * memory.c -- accesses outside flash and RAM: system control space, devices, or nothing. */
#include "memory.h"

#define SCS_BASE 0xE000E000u
#define SCS_SIZE 0x1000u

bool memory_fault(struct cpu *cpu, enum fault fault, uint32_t address)
{
    cpu->access_fault = fault;
    cpu->access_address = address;
    return false;
}

/* The SCS takes words only (the ARM, section B3.2: other widths are UNPREDICTABLE). */
bool memory_read_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t *value)
{
    bool ok;
    if (address - SCS_BASE < SCS_SIZE)
        ok = size == 4 && scs_read(cpu, address, value);
    else
        ok = cpu->bus.read && cpu->bus.read(cpu->bus.context, address, size, value);
    return ok || memory_fault(cpu, FAULT_UNMAPPED, address);
}

bool memory_write_other(struct cpu *cpu, uint32_t address, unsigned size, uint32_t value)
{
    bool ok;
    if (size < 4)
        value &= (1u << (8 * size)) - 1;
    if (address - SCS_BASE < SCS_SIZE)
        ok = size == 4 && scs_write(cpu, address, value);
    else
        ok = cpu->bus.write && cpu->bus.write(cpu->bus.context, address, size, value);
    return ok || memory_fault(cpu, FAULT_UNMAPPED, address);
}
