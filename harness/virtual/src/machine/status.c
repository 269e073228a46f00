/* SPDX-License-Identifier: MIT
 *
 * status.c -- see status.h. */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>

#include "board.h"
#include "core.h"
#include "uart.h"

/* A board is at fault while in a fault handler or locked up; a handler that returns clears that, not
 * the record of the fault. */
static const char *state_name(const struct board *b)
{
    if (b->in_bootloader)
        return "bootloader";
    if (core_faulted(&b->cpu))
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

/* What a core that counts a bracket adds: upper bounds, and instructions, which are exact. */
static void write_bracket(const struct marks *m, char *out, size_t size)
{
    snprintf(out, size,
             "\"marks_cycles_hi\":%" PRIu64 ",\"marks_first_cycles_hi\":%" PRIu64
             ",\"marks_instructions\":%" PRIu64 ",\"marks_first_instructions\":%" PRIu64 ",",
             m->sum.cycles_hi, m->first.cycles_hi, m->sum.instructions, m->first.instructions);
}

int status_write(const struct board *b, const char *name, char *out, size_t size)
{
    const struct line_counts line = b->serial->counts;
    const struct marks *marks = &b->marks;
    char fault[128], bracket[256] = "";
    status_write_fault(b, fault, sizeof fault);
    if (CORE_BRACKET)
        write_bracket(marks, bracket, sizeof bracket);
    return snprintf(out, size,
                    "{\"board\":\"%s\",\"state\":\"%s\",\"cycles\":%" PRIu64
                    ",\"instructions\":%" PRIu64 ",\"clock_hz\":%" PRIu32 ",\"resets\":%" PRIu64
                    ",\"rx_bytes\":%" PRIu64 ",\"tx_bytes\":%" PRIu64 ",\"rx_overruns\":%" PRIu64
                    ",\"min_sp\":%" PRIu32 ",\"marks_count\":%" PRIu64 ",\"marks_cycles\":%" PRIu64
                    ",\"marks_first_cycles\":%" PRIu64 ",\"marks_last_cycles\":%" PRIu64
                    ",%s\"fault\":%s}",
                    name, state_name(b), b->cpu.cycles, b->cpu.instructions, BOARD_KIND.clock_hz,
                    b->resets, line.rx_bytes, line.tx_bytes, line.rx_overruns, b->cpu.min_sp,
                    marks->count, marks->sum.cycles, marks->first.cycles, marks->last.cycles, bracket,
                    fault);
}
