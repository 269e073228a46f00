/* SPDX-License-Identifier: MIT
 * fake_board.c -- a board without an MCU, to test harness/virtual/src/common by itself. It echoes
 * bytes, logs events with the speed of the port, counts pretended cycles at 1 MHz, and answers
 *
 *   status      {"cycles":n,"rx":n,"dropped":n,"open":b}
 *   sleep       and sleeps from then on, with an event every 10 ms of its time
 *   busy        and pretends to work from then on (free running unless quiet)
 *   flood       and sends 200 000 bytes at once
 *   flash       and changes its flash
 *   reset       and counts it; `status` has the first byte of flash
 */
#include "host.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    host *h;
    uint64_t cycles;
    uint64_t rx, resets;
    bool sleeping;
    uint8_t flash[1024];
} fake;

static bool request(void *board, const char *word, char *answer, size_t size)
{
    fake *f = board;
    snprintf(answer, size, "{\"ok\":true}");
    if (strcmp(word, "status") == 0)
        snprintf(answer, size, "{\"cycles\":%" PRIu64 ",\"rx\":%" PRIu64 ",\"dropped\":%" PRIu64
                 ",\"open\":%s,\"resets\":%" PRIu64 ",\"flash0\":%u}", f->cycles, f->rx,
                 host_tx_dropped(f->h), host_is_open(f->h) ? "true" : "false", f->resets,
                 f->flash[0]);
    else if (strcmp(word, "sleep") == 0)
        f->sleeping = true;
    else if (strcmp(word, "busy") == 0)
        f->sleeping = false;
    else if (strcmp(word, "flood") == 0)
        for (int i = 0; i < 200000; i++)
            host_tx(f->h, (uint8_t)i);
    else if (strcmp(word, "flash") == 0)
        f->flash[0]++, host_flash_changed(f->h);
    else if (strcmp(word, "reset") == 0)
        f->resets++, host_mcu_reset(f->h);
    else
        return false;
    return true;
}

static void echo(fake *f)
{
    for (int byte; (byte = host_rx_pop(f->h)) >= 0; f->rx++)
        host_tx(f->h, (uint8_t)byte);
}

static void log_events(fake *f, unsigned events)
{
    bool open = host_is_open(f->h);
    if ((events & HOST_CLOSED) && open)
        host_event(f->h, "closed", "\"baud\":%lu", host_baud(f->h));
    if (events & HOST_OPENED)
        host_event(f->h, "opened", "\"baud\":%lu", host_baud(f->h));
    if ((events & HOST_CLOSED) && !open)
        host_event(f->h, "closed", "\"baud\":%lu", host_baud(f->h));
}

int main(int argc, char **argv)
{
    static fake f;
    const char *greeting = "none";
    const host_option options[] = {{"--greeting", "WORD", &greeting, false}};
    const host_config config = {.program = "fake", .board = "fake", .clock_hz = 1000000,
                                .options = options, .n_options = 1,
                                .request = request, .context = &f};
    int status = host_open(&f.h, &config, argc, argv);
    if (status != HOST_READY)
        return status;
    if (host_flash_attach(f.h, f.flash, sizeof f.flash) < 0 || host_announce(f.h) < 0) {
        host_close(f.h);
        return 1;
    }
    host_event(f.h, "greeting", "\"word\":\"%s\"", greeting);
    for (unsigned events = 0; !(events & HOST_QUIT); log_events(&f, events)) {
        echo(&f);
        if (f.sleeping) {
            f.cycles = host_sleep(f.h, f.cycles, f.cycles + 10000, &events);
        } else {
            f.cycles += host_slice(f.h);
            events = host_pace(f.h, f.cycles, false);
        }
    }
    host_close(f.h);
    return 0;
}
