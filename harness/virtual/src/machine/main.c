/* SPDX-License-Identifier: MIT
 *
 * main.c -- a board behind a pty, a process of its own (docs/virtual-boards.md). The board is the one
 * whose board.h is on the include path. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/host.h"
#include "board.h"
#include "core.h"
#include "probe.h"
#include "status.h"

#define TOUCH_BAUD 1200
#define SERIAL_BAUD 115200

struct process {
    struct board board;
    host *host;
    uint64_t resets, faults;        /* already reported */
    bool was_in_bootloader;
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

/* The supply was too low for a moment: no byte of RAM is what it was. */
static void brown_out(struct board *b)
{
    struct image ram = board_ram(b);
    host_lose_memory(ram.bytes, ram.size, b->cpu.cycles);
    board_reset(b, RESET_POWER_ON);
}

static bool load(struct process *p, const char *arguments)
{
    if (!probe_load(board_image(&p->board), arguments))
        return false;
    host_flash_changed(p->host);
    board_reset(&p->board, RESET_EXTERNAL);
    return true;
}

static bool act(struct process *p, const char *word)
{
    struct board *b = &p->board;
    if (!strcmp(word, "reset"))
        board_reset(b, RESET_EXTERNAL);
    else if (!strcmp(word, "brown-out"))
        brown_out(b);
    else if (!strcmp(word, "bootloader") && BOARD_KIND.boot_pin)
        BOARD_KIND.boot_pin(b);
    else
        return !strncmp(word, "load ", 5) && load(p, word + 5);
    return true;
}

static bool answer(void *context, const char *word, char *out, size_t size)
{
    struct process *p = context;
    if (!strcmp(word, "status")) {
        status_write(&p->board, host_board(p->host), out, size);
        return true;
    }
    if (!act(p, word))
        return false;
    snprintf(out, size, "{\"ok\":true}");
    return true;
}

static void report(struct process *p)
{
    char fault[128];
    if (p->board.resets != p->resets) {
        if (host_mcu_reset(p->host) && !p->board.in_bootloader)
            board_reset(&p->board, RESET_EXTERNAL);     /* its vectors are others */
        p->resets = p->board.resets;
        host_event(p->host, "reset", "\"into\":\"%s\"",
                   p->board.in_bootloader ? "bootloader" : "application");
    }
    if (p->board.cpu.fault_count != p->faults) {
        p->faults = p->board.cpu.fault_count;
        status_write_fault(&p->board, fault, sizeof fault);
        host_event(p->host, "fault", "\"fault\":%s", fault);
    }
}

/* ---- the loop ---- */

/* The chip on the USB side holds the reset line low for a while: what comes then is lost. */
static unsigned hold_reset(struct process *p)
{
    unsigned events = 0;
    for (unsigned ms = 0; ms < BOARD_KIND.reset_pulse_ms && !(events & HOST_QUIT); ms++)
        events |= host_service(p->host, 1000);
    if (BOARD_KIND.reset_pulse_ms)
        host_rx_clear(p->host);
    return events;
}

/* Returns the events that came meanwhile. */
static unsigned act_on(struct process *p, unsigned events)
{
    unsigned more = 0;
    if ((events & HOST_CLOSED) && host_baud(p->host) == TOUCH_BAUD && BOARD_KIND.touched) {
        host_set_baud(p->host, SERIAL_BAUD);
        host_rx_clear(p->host);
        BOARD_KIND.touched(&p->board);
    }
    if ((events & HOST_OPENED) && BOARD_KIND.opened) {
        more = hold_reset(p);
        BOARD_KIND.opened(&p->board);
    }
    return more;
}

/* Who has the port; a board that is to be stuck in its bootloader goes back there. */
static void follow_stage(struct process *p)
{
    struct board *b = &p->board;
    if (p->was_in_bootloader && !b->in_bootloader && BOARD_KIND.stay && host_refuses_start(p->host))
        BOARD_KIND.stay(b);
    p->was_in_bootloader = b->in_bootloader;
    host_stage(p->host, b->in_bootloader);
}

/* Nothing to do for the core until something happens outside. */
static bool stands_still(const struct board *b)
{
    return b->in_bootloader || b->cpu.locked_up ||
           (b->cpu.sleeping && !b->cpu.attention && !board_line_busy(b));
}

static uint64_t wakes_at(const struct board *b)
{
    return b->in_bootloader || b->cpu.locked_up ? NEVER : cpu_next_event(&b->cpu);
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
        else if (now > b->cpu.cycles)
            core_pass(&b->cpu, now - b->cpu.cycles);
        board_run(b, b->cpu.cycles);
    } else {
        board_run(b, b->cpu.cycles + host_slice(p->host));
        events = host_pace(p->host, b->cpu.cycles, false);
    }
    return events;
}

static int run(struct process *p)
{
    struct image flash = board_image(&p->board);
    if (host_flash_attach(p->host, flash.bytes, flash.size) < 0)
        return 1;
    board_reset(&p->board, RESET_POWER_ON);
    p->resets = p->board.resets;
    if (host_announce(p->host) < 0)
        return 1;
    for (unsigned events = 0; !(events & HOST_QUIT);) {
        unsigned more = act_on(p, events);
        follow_stage(p);
        events = more | once(p);
        report(p);
    }
    return 0;
}

static int set_option(struct process *p, const char *value)
{
    const struct board_option *option = &BOARD_KIND.option;
    if (!value || option->set(&p->board, value))
        return 0;
    host_event(p->host, "error", "\"message\":\"%s is %s\"", option->name, option->values);
    return 2;
}

int main(int argc, char **argv)
{
    static struct process process;
    const char *value = NULL;
    const struct board_kind *kind = &BOARD_KIND;
    const host_option option = {kind->option.name, kind->option.values, &value, false};
    const host_config config = {.program = kind->program,
                                .board = kind->name,
                                .clock_hz = kind->clock_hz,
                                .options = &option,
                                .n_options = kind->option.name ? 1 : 0,
                                .request = answer,
                                .context = &process};
    const struct line line = {take_byte, give_byte, &process};
    int status = host_open(&process.host, &config, argc, argv);
    if (status != HOST_READY)
        return status;
    board_init(&process.board, &line);
    process.board.flash_changed = flash_changed;
    process.board.context = &process;
    status = set_option(&process, value);
    if (status == 0)
        status = run(&process);
    host_close(process.host);
    return status;
}
