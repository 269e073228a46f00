/* SPDX-License-Identifier: GPL-3.0-or-later
 * status.c -- the board's answers on the control socket; the fields are those of
 * docs/virtual-boards.md. */
#include "uno.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *state_name(const uno *u)
{
    if (u->fault.reason)
        return "fault";
    if (u->avr->state == cpu_Sleeping)
        return "sleeping";
    return core_in_bootloader(u) ? "bootloader" : "running";
}

static void write_fault(const fault *f, char *out, size_t size)
{
    if (f->reason)
        snprintf(out, size, "{\"reason\":\"%s\",\"pc\":%" PRIu32 ",\"address\":%" PRIu32 "}",
                 f->reason, f->pc, f->address);
    else
        snprintf(out, size, "null");
}

static void write_status(const uno *u, char *out, size_t size)
{
    char fault_text[160];
    write_fault(&u->fault, fault_text, sizeof fault_text);
    snprintf(out, size,
             "{\"board\":\"uno\",\"state\":\"%s\",\"cycles\":%" PRIu64 ",\"instructions\":%" PRIu64
             ",\"clock_hz\":%u,\"resets\":%" PRIu64 ",\"rx_bytes\":%" PRIu64
             ",\"tx_bytes\":%" PRIu64 ",\"rx_overruns\":%" PRIu64 ",\"min_sp\":%u"
             ",\"marks_count\":%" PRIu64 ",\"marks_cycles\":%" PRIu64
             ",\"marks_first_cycles\":%" PRIu64 ",\"marks_last_cycles\":%" PRIu64 ",\"fault\":%s}",
             state_name(u), (uint64_t)u->avr->cycle, u->instructions, UNO_CLOCK_HZ, u->resets,
             u->usart.rx_bytes, u->usart.tx_bytes, u->usart.rx_overruns, u->min_sp, u->marks.count,
             u->marks.sum, u->marks.first, u->marks.last, fault_text);
}

bool uno_request(void *board, const char *word, char *answer, size_t size)
{
    uno *u = board;
    if (strcmp(word, "status") == 0) {
        write_status(u, answer, size);
        return true;
    }
    if (strcmp(word, "reset") == 0) {
        core_external_reset(u, "control request");
        snprintf(answer, size, "{\"ok\":true}");
        return true;
    }
    return false;
}
