/* SPDX-License-Identifier: GPL-3.0-or-later
 * fault.c -- see board.h. libsimavr reports trouble as text through its logger and then, depending on
 * the kind, goes on or stops; here every kind stops the MCU until the next reset. */
#include "board.h"

#include <stdio.h>
#include <string.h>

void fault_raise(board *b, const char *reason, uint32_t address)
{
    if (!b->fault.reason) {
        b->fault = (fault){.reason = reason, .pc = b->avr->pc, .address = address};
        host_event(b->host, "fault", "\"reason\":\"%s\",\"pc\":%u,\"address\":%u", reason,
                   (unsigned)b->avr->pc, (unsigned)address);
    }
    b->avr->state = cpu_Crashed;
}

/* The messages are "... PC=%04x SP=%04x O=%04x Address %04x...". */
static uint32_t fourth_argument(va_list arguments)
{
    for (int i = 0; i < 3; i++)
        (void)va_arg(arguments, unsigned);
    return va_arg(arguments, unsigned);
}

static uint32_t opcode_at_pc(const avr_t *avr)
{
    return (uint32_t)avr->flash[avr->pc] | (uint32_t)avr->flash[avr->pc + 1] << 8;
}

static void on_message(avr_t *avr, const int level, const char *format, va_list arguments)
{
    if (level > LOG_ERROR)
        return;
    board *b = avr ? board_of(avr) : NULL;
    if (b && strstr(format, "Invalid Opcode"))
        fault_raise(b, "undefined instruction", opcode_at_pc(b->avr));
    else if (b && strstr(format, "Invalid write address PC="))
        fault_raise(b, "write outside memory", fourth_argument(arguments));
    else if (b && strstr(format, "Invalid read address PC="))
        fault_raise(b, "read outside memory", fourth_argument(arguments));
    else
        vfprintf(stderr, format, arguments);
}

void fault_listen(void) { avr_global_logger_set(on_message); }
