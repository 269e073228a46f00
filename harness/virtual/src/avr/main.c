/* SPDX-License-Identifier: GPL-3.0-or-later
 * main.c -- vboard-avr, a virtual Arduino with an ATmega. What it does towards the outside is in
 * docs/virtual-boards.md; its parts are in board.h. */
#include "board.h"

#include <stdlib.h>

/* The kernel asserts DTR when a port is opened, and DTR resets these boards. */
static void follow_port(board *b, unsigned events)
{
    if (events & HOST_OPENED)
        core_external_reset(b, "port opened");
}

/* Who has the port; a board that is to be stuck in its bootloader goes back there. */
static void follow_stage(board *b)
{
    bool bootloader = core_in_bootloader(b);
    if (b->was_in_bootloader && !bootloader && host_refuses_start(b->host)) {
        core_external_reset(b, "stuck");
        bootloader = true;
    }
    b->was_in_bootloader = bootloader;
    host_stage(b->host, bootloader);
}

/* A sleeping MCU lets wall time pass, unless characters are still on the line: those are work. */
static unsigned sleep_a_while(board *b)
{
    uint64_t until = core_next_event(b);
    if (usart_is_busy(b) && until != UINT64_MAX && !host_quiet(b->host)) {
        core_sleep_to(b, until);
        return host_pace(b->host, b->avr->cycle, false);
    }
    unsigned events;
    core_sleep_to(b, host_sleep(b->host, b->avr->cycle, until, &events));
    return events;
}

static unsigned run_a_while(board *b)
{
    core_run(b, b->avr->cycle + host_slice(b->host));
    if (b->fault.reason)
        return host_service(b->host, 0);
    return host_pace(b->host, b->avr->cycle, core_in_bootloader(b));
}

static void live(board *b)
{
    for (unsigned events = 0; !(events & HOST_QUIT);) {
        follow_port(b, events);
        follow_stage(b);
        if (b->fault.reason)
            events = host_service(b->host, 100000);
        else if (b->avr->state == cpu_Sleeping)
            events = sleep_a_while(b);
        else
            events = run_a_while(b);
        usart_feed(b);
    }
}

int main(int argc, char **argv)
{
    board *b = calloc(1, sizeof *b);
    if (!b)
        return 1;
    const char *mcu = NULL, *boot_hex = NULL;
    const host_option options[] = {{"--mcu", "atmega328p|atmega2560", &mcu, true},
                                   {"--boot", "bootloader.hex", &boot_hex, true}};
    const host_config config = {
        .program = "vboard-avr", .board = "avr", .clock_hz = BOARD_CLOCK_HZ,
        .options = options, .n_options = 2, .request = board_request, .context = b,
    };
    int status = host_open(&b->host, &config, argc, argv);
    if (status != HOST_READY)
        return status;
    status = 1;
    if (core_init(b, mcu, boot_hex) == 0 && host_announce(b->host) == 0) {
        live(b);
        status = 0;
    }
    host_close(b->host);
    if (b->avr)
        avr_terminate(b->avr);
    free(b);
    return status;
}
