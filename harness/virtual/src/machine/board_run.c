/* SPDX-License-Identifier: MIT
 *
 * board_run.c -- how a board of any kind runs; see machine.h. */
#include "board.h"
#include "uart.h"

static void run_bootloader(struct board *b)
{
    int byte;
    while (b->in_bootloader && !b->cpu.reset_requested &&
           (byte = b->line.receive(b->line.context)) >= 0)
        BOARD_KIND.feed(b, (uint8_t)byte);
}

void board_run(struct board *b, uint64_t until)
{
    if (b->in_bootloader) {
        run_bootloader(b);
    } else {
        uart_poll(b->serial);
        if (b->cpu.sleeping)
            cpu_idle(&b->cpu, until);
        cpu_run(&b->cpu, until);
    }
    if (b->cpu.reset_requested)
        board_reset(b, RESET_SYSTEM);
}

bool board_line_busy(const struct board *b)
{
    return !b->in_bootloader && uart_next_event(b->serial) != NEVER;
}
