/* SPDX-License-Identifier: MIT
 *
 * main.c -- vboard-armv6m: the board behind a pty, a process of its own (docs/virtual-boards.md). */
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "../common/host.h"
#include "status.h"

#define TOUCH_BAUD 1200
#define SERIAL_BAUD 115200

struct process {
    struct board board;
    host *host;
    uint64_t resets, faults;        /* already reported */
};

static int take_byte(void *context)
{
    struct process *p = context;
    return host_rx_pop(p->host);
}

static void give_byte(void *context, uint8_t byte)
{
    struct process *p = context;
    host_tx(p->host, byte);
}

static void flash_changed(void *context)
{
    struct process *p = context;
    host_flash_changed(p->host);
}

/* ---- control and reports ---- */

static bool answer(void *context, const char *word, char *out, size_t size)
{
    struct process *p = context;
    if (!strcmp(word, "status")) {
        status_write(&p->board, host_board(p->host), out, size);
        return true;
    }
    if (!strcmp(word, "reset")) {
        board_reset(&p->board, RCAUSE_EXTERNAL);
        strncpy(out, "{\"ok\":true}", size);
        return true;
    }
    return false;
}

static void report(struct process *p)
{
    char fault[128];
    if (p->board.resets != p->resets) {
        p->resets = p->board.resets;
        host_event(p->host, "reset", "\"into\":\"%s\"",
                   p->board.in_monitor ? "bootloader" : "application");
    }
    if (p->board.cpu.fault_count != p->faults) {
        p->faults = p->board.cpu.fault_count;
        status_write_fault(&p->board, fault, sizeof fault);
        host_event(p->host, "fault", "\"fault\":%s", fault);
    }
}

/* ---- the loop ---- */

/* A client that closes the port at 1200 baud wants the bootloader; one that opens it finds the
 * monitor between two commands. */
static void act_on(struct process *p, unsigned events)
{
    if ((events & HOST_CLOSED) && host_baud(p->host) == TOUCH_BAUD) {
        host_set_baud(p->host, SERIAL_BAUD);
        host_rx_clear(p->host);
        board_enter_monitor(&p->board);
    }
    if ((events & HOST_OPENED) && p->board.in_monitor)
        samba_reset(&p->board.samba, &p->board.monitor);
}

/* Nothing to do for the core until something happens outside. */
static bool stands_still(const struct board *b)
{
    return b->in_monitor || b->cpu.locked_up ||
           (b->cpu.sleeping && !b->cpu.attention && !board_line_busy(b));
}

static uint64_t wakes_at(const struct board *b)
{
    return b->in_monitor || b->cpu.locked_up ? NEVER : cpu_next_event(&b->cpu);
}

static unsigned once(struct process *p)
{
    struct board *b = &p->board;
    unsigned events = 0;
    if (b->cpu.locked_up)
        host_rx_clear(p->host);
    if (stands_still(b)) {
        uint64_t now = host_sleep(p->host, b->cpu.cycles, wakes_at(b), &events);
        if (b->cpu.sleeping)
            cpu_idle(&b->cpu, now);
        else
            b->cpu.cycles = now;
        board_run(b, b->cpu.cycles);
    } else {
        board_run(b, b->cpu.cycles + host_slice(p->host));
        events = host_pace(p->host, b->cpu.cycles, false);
    }
    return events;
}

static int run(struct process *p)
{
    int loaded = host_flash_attach(p->host, p->board.flash, sizeof p->board.flash);
    if (loaded < 0)
        return 1;
    board_reset(&p->board, RCAUSE_POWER_ON);
    p->resets = p->board.resets;
    if (host_announce(p->host) < 0)
        return 1;
    for (unsigned events = 0; !(events & HOST_QUIT);) {
        act_on(p, events);
        events = once(p);
        report(p);
    }
    return 0;
}

static int set_flash_mode(struct process *p, const char *mode)
{
    p->board.cpu.wait_states = !strcmp(mode, "rws1");
    return p->board.cpu.wait_states || !strcmp(mode, "zero-wait") ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct process process;
    const char *mode = "zero-wait";
    const host_option options[] = {{"--flash-mode", "zero-wait|rws1", &mode, false}};
    const host_config config = {.program = "vboard-armv6m",
                                .board = "samd21",
                                .clock_hz = BOARD_CLOCK_HZ,
                                .options = options,
                                .n_options = 1,
                                .request = answer,
                                .context = &process};
    const struct sercom_line line = {take_byte, give_byte, &process};
    int status = host_open(&process.host, &config, argc, argv);
    if (status != HOST_READY)
        return status;
    board_init(&process.board, &line);
    process.board.nvm.changed = flash_changed;
    process.board.nvm.context = &process;
    if (set_flash_mode(&process, mode) < 0) {
        host_event(process.host, "error", "\"message\":\"--flash-mode is zero-wait or rws1\"");
        status = 2;
    } else {
        status = run(&process);
    }
    host_close(process.host);
    return status;
}
