/* SPDX-License-Identifier: GPL-3.0-or-later
 * status.c -- the board's answers on the control socket; the fields are those of
 * docs/virtual-boards.md. */
#include "board.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *state_name(const board *b)
{
    if (b->fault.reason)
        return "fault";
    if (b->avr->state == cpu_Sleeping)
        return "sleeping";
    return core_in_bootloader(b) ? "bootloader" : "running";
}

static void write_fault(const fault *f, char *out, size_t size)
{
    if (f->reason)
        snprintf(out, size, "{\"reason\":\"%s\",\"pc\":%" PRIu32 ",\"address\":%" PRIu32 "}",
                 f->reason, f->pc, f->address);
    else
        snprintf(out, size, "null");
}

static void write_status(const board *b, char *out, size_t size)
{
    char fault_text[160], name[64];
    write_fault(&b->fault, fault_text, sizeof fault_text);
    snprintf(out, size,
             "{\"board\":%s,\"state\":\"%s\",\"cycles\":%" PRIu64 ",\"instructions\":%" PRIu64
             ",\"clock_hz\":%u,\"resets\":%" PRIu64 ",\"rx_bytes\":%" PRIu64
             ",\"tx_bytes\":%" PRIu64 ",\"rx_overruns\":%" PRIu64 ",\"min_sp\":%u"
             ",\"marks_count\":%" PRIu64 ",\"marks_cycles\":%" PRIu64
             ",\"marks_first_cycles\":%" PRIu64 ",\"marks_last_cycles\":%" PRIu64 ",\"fault\":%s}",
             host_json_string(name, sizeof name, host_board(b->host)), state_name(b), (uint64_t)b->avr->cycle,
             b->instructions, BOARD_CLOCK_HZ, b->resets,
             b->usart.rx_bytes, b->usart.tx_bytes, b->usart.rx_overruns, b->min_sp, b->marks.count,
             b->marks.sum, b->marks.first, b->marks.last, fault_text);
}

bool board_request(void *context, const char *word, char *answer, size_t size)
{
    board *b = context;
    if (strcmp(word, "status") == 0) {
        write_status(b, answer, size);
        return true;
    }
    if (strcmp(word, "reset") == 0) {
        core_external_reset(b, "control request");
        snprintf(answer, size, "{\"ok\":true}");
        return true;
    }
    if (strcmp(word, "brown-out") == 0) {
        core_brown_out(b);
        snprintf(answer, size, "{\"ok\":true}");
        return true;
    }
    return false;
}
