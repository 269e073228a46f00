/* SPDX-License-Identifier: MIT
 *
 * fault.c -- which exception a fault is, its status bits, escalation and lockup (the ARM, sections
 * B1.5.14 and B3.2.15). */
#include "memory.h"

#define SHCSR_MEMFAULTENA (1u << 16)
#define SHCSR_BUSFAULTENA (1u << 17)
#define SHCSR_USGFAULTENA (1u << 18)

#define CFSR_IACCVIOL 0x1u
#define CFSR_IBUSERR 0x100u
#define CFSR_PRECISERR 0x200u
#define CFSR_BFARVALID 0x8000u
#define CFSR_UNDEFINSTR 0x10000u
#define CFSR_INVSTATE 0x20000u
#define CFSR_INVPC 0x40000u
#define CFSR_NOCP 0x80000u
#define CFSR_UNALIGNED 0x1000000u
#define CFSR_DIVBYZERO 0x2000000u

#define HFSR_VECTTBL (1u << 1)
#define HFSR_FORCED (1u << 30)
#define HFSR_DEBUGEVT (1u << 31)

/* The first fault since reset is kept: what follows is often its consequence. */
static void record(struct cpu *cpu, enum fault fault, uint32_t pc, uint32_t address)
{
    cpu->fault_count++;
    if (cpu->fault != FAULT_NONE)
        return;
    cpu->fault = fault;
    cpu->fault_pc = pc;
    cpu->fault_address = address;
}

/* Peripherals, devices and the system region never execute (the ARM, table B3-1). */
static bool never_executes(uint32_t address)
{
    return (address >= 0x40000000u && address < 0x60000000u) || address >= 0xA0000000u;
}

static uint32_t status_of(enum fault fault, uint32_t address)
{
    switch (fault) {
    case FAULT_UNALIGNED:
        return CFSR_UNALIGNED;
    case FAULT_UNMAPPED:
        return CFSR_PRECISERR | CFSR_BFARVALID;
    case FAULT_FETCH:
        return never_executes(address) ? CFSR_IACCVIOL : CFSR_IBUSERR;
    case FAULT_NOT_THUMB:
        return CFSR_INVSTATE;
    case FAULT_EXC_RETURN:
        return CFSR_INVPC;
    case FAULT_DIVIDE_BY_ZERO:
        return CFSR_DIVBYZERO;
    case FAULT_NO_COPROCESSOR:
        return CFSR_NOCP;
    case FAULT_UNDEFINED:
    case FAULT_UNPREDICTABLE:
        return CFSR_UNDEFINSTR;
    default:
        return 0;               /* a HardFault from the start */
    }
}

static bool has_handler(const struct cpu *cpu, uint32_t cfsr)
{
    uint32_t enable = cfsr > 0xFFFF ? SHCSR_USGFAULTENA
                      : cfsr > 0xFF ? SHCSR_BUSFAULTENA
                                    : SHCSR_MEMFAULTENA;
    return cfsr && (cpu->shcsr_enables & enable);
}

static int exception_of(uint32_t cfsr)
{
    return cfsr > 0xFFFF ? EXC_USAGEFAULT : cfsr > 0xFF ? EXC_BUSFAULT : EXC_MEMMANAGE;
}

static uint32_t hard_status(enum fault fault)
{
    switch (fault) {
    case FAULT_BREAKPOINT:
        return HFSR_DEBUGEVT;
    case FAULT_VECTOR:
        return HFSR_VECTTBL;
    default:
        return HFSR_FORCED;
    }
}

/* The handler that takes it, or 0: lockup. Sets the status registers. */
static int classify(struct cpu *cpu, enum fault fault, uint32_t address, uint32_t cfsr)
{
    cpu->cfsr |= cfsr;
    if (cfsr & CFSR_BFARVALID)
        cpu->bfar = address;
    if (has_handler(cpu, cfsr) && exception_preempts(cpu, exception_of(cfsr)))
        return exception_of(cfsr);
    cpu->hfsr |= hard_status(fault);
    return exception_preempts(cpu, EXC_HARDFAULT) ? EXC_HARDFAULT : 0;
}

void fault_take(struct cpu *cpu, enum fault fault, uint32_t pc, uint32_t address)
{
    record(cpu, fault, pc, address);
    cpu->pc = pc;
    int handler = classify(cpu, fault, address, status_of(fault, address));
    if (handler) {
        exception_enter(cpu, handler);
    } else {
        cpu->locked_up = true;
        cpu->stop_at = 0;
    }
}

int fault_derived(struct cpu *cpu, enum fault fault, uint32_t address, uint32_t cfsr)
{
    record(cpu, fault, cpu->pc, address);
    return classify(cpu, fault, address, cfsr);
}
