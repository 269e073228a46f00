/* SPDX-License-Identifier: MIT
 *
 * status.c -- see status.h. */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>

/* A board is at fault while in HardFault or locked up; a handler that returns clears that, not the
 * record of the fault. */
static const char *state_name(const struct board *b)
{
    if (b->in_monitor)
        return "bootloader";
    if (b->cpu.locked_up || b->cpu.active >> EXC_HARDFAULT & 1)
        return "fault";
    return b->cpu.sleeping ? "sleeping" : "running";
}

int status_write_fault(const struct board *b, char *out, size_t size)
{
    const struct cpu *cpu = &b->cpu;
    if (cpu->fault == FAULT_NONE)
        return snprintf(out, size, "null");
    return snprintf(out, size, "{\"reason\":\"%s%s\",\"pc\":%" PRIu32 ",\"address\":%" PRIu32 "}",
                    fault_name(cpu->fault), cpu->locked_up ? ", then lockup" : "", cpu->fault_pc,
                    cpu->fault_address);
}

int status_write(const struct board *b, const char *name, char *out, size_t size)
{
    const struct sercom *serial = &b->sercom[BOARD_SERIAL];
    const struct marks *marks = &b->port.marks;
    char fault[128];
    status_write_fault(b, fault, sizeof fault);
    return snprintf(out, size,
                    "{\"board\":\"%s\",\"state\":\"%s\",\"cycles\":%" PRIu64
                    ",\"instructions\":%" PRIu64 ",\"clock_hz\":%u,\"resets\":%" PRIu64
                    ",\"rx_bytes\":%" PRIu64 ",\"tx_bytes\":%" PRIu64 ",\"rx_overruns\":%" PRIu64
                    ",\"min_sp\":%" PRIu32 ",\"marks_count\":%" PRIu64 ",\"marks_cycles\":%" PRIu64
                    ",\"marks_first_cycles\":%" PRIu64 ",\"marks_last_cycles\":%" PRIu64
                    ",\"fault\":%s}",
                    name, state_name(b), b->cpu.cycles, b->cpu.instructions, BOARD_CLOCK_HZ, b->resets,
                    serial->rx_bytes, serial->tx_bytes, serial->rx_overruns, b->cpu.min_sp,
                    marks->count, marks->cycles, marks->first_cycles, marks->last_cycles, fault);
}
