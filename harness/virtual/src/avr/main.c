/* SPDX-License-Identifier: GPL-3.0-or-later
 * main.c -- vboard-uno, a virtual Arduino Uno. What it does towards the outside is in
 * docs/virtual-boards.md; its parts are in uno.h. */
#include "uno.h"

#include <stdlib.h>

/* The kernel asserts DTR when a port is opened, and DTR resets an Uno. */
static void follow_port(uno *u, unsigned events)
{
    if (events & HOST_OPENED)
        core_external_reset(u, "port opened");
}

/* A sleeping MCU lets wall time pass, unless characters are still on the line: those are work. */
static unsigned sleep_a_while(uno *u)
{
    uint64_t until = core_next_event(u);
    if (usart_is_busy(u) && until != UINT64_MAX && !host_quiet(u->host)) {
        core_sleep_to(u, until);
        return host_pace(u->host, u->avr->cycle, false);
    }
    unsigned events;
    core_sleep_to(u, host_sleep(u->host, u->avr->cycle, until, &events));
    return events;
}

static unsigned run_a_while(uno *u)
{
    core_run(u, u->avr->cycle + host_slice(u->host));
    if (u->fault.reason)
        return host_service(u->host, 0);
    return host_pace(u->host, u->avr->cycle, core_in_bootloader(u));
}

static void live(uno *u)
{
    for (unsigned events = 0; !(events & HOST_QUIT);) {
        follow_port(u, events);
        if (u->fault.reason)
            events = host_service(u->host, 100000);
        else if (u->avr->state == cpu_Sleeping)
            events = sleep_a_while(u);
        else
            events = run_a_while(u);
        usart_feed(u);
    }
}

int main(int argc, char **argv)
{
    uno *u = calloc(1, sizeof *u);
    if (!u)
        return 1;
    const char *boot_hex = NULL;
    const host_option options[] = {{"--boot", "optiboot.hex", &boot_hex, true}};
    const host_config config = {
        .program = "vboard-uno", .board = "uno", .clock_hz = UNO_CLOCK_HZ,
        .options = options, .n_options = 1, .request = uno_request, .context = u,
    };
    int status = host_open(&u->host, &config, argc, argv);
    if (status != HOST_READY)
        return status;
    status = 1;
    if (core_init(u, boot_hex) == 0 && host_announce(u->host) == 0) {
        live(u);
        status = 0;
    }
    host_close(u->host);
    if (u->avr)
        avr_terminate(u->avr);
    free(u);
    return status;
}
