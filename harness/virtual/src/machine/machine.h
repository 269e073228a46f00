/* SPDX-License-Identifier: MIT
 *
 * machine.h -- what main.c and status.c need of a board. Each machine's folder has a `board.h` that
 * defines `struct board`, with at least these members, and implements the functions below:
 *
 *     struct cpu cpu;
 *     struct marks marks;
 *     struct line line;        of the serial port
 *     struct uart *serial;     the UART that it leads to
 *     bool in_bootloader;      a model of a bootloader has the line, the core stands still
 *     uint64_t resets;         of any kind, after power-on
 *     void (*flash_changed)(void *context); void *context;     may be NULL
 *
 * board_run.c runs it; nothing here but main.c knows of ptys and processes. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

struct board;

enum reset { RESET_POWER_ON, RESET_EXTERNAL, RESET_SYSTEM };

/* A memory, and the address of its first byte. */
struct image {
    uint8_t *bytes;
    size_t size;
    uint32_t base;
};

/* `--name VALUE` beyond the common arguments; `set` returns false for a value it does not know. */
struct board_option {
    const char *name, *values;
    bool (*set)(struct board *board, const char *value);
};

/* What a board is. The functions may be NULL. */
struct board_kind {
    const char *program;                    /* "vboard-sam3x" */
    const char *name;                       /* of the chip, until --board says more */
    uint32_t clock_hz;
    struct board_option option;             /* at most one; its name may be NULL */
    void (*feed)(struct board *board, uint8_t byte);    /* the bootloader gets a byte */
    unsigned reset_pulse_ms;                /* wall time from the opening of the port to `opened` */
    void (*opened)(struct board *board);    /* a client opened the port */
    void (*touched)(struct board *board);   /* it closed the port at 1200 baud */
    void (*boot_pin)(struct board *board);  /* control request `bootloader`: pin held over a reset */
    void (*stay)(struct board *board);      /* back into the bootloader: it does not start programs */
};
extern const struct board_kind BOARD_KIND;

/* Flash erased; `line` is the far end of the serial port. Call board_reset once the flash image, if
 * any, has been loaded. */
void board_init(struct board *board, const struct line *line);
void board_reset(struct board *board, enum reset reset);

struct image board_image(struct board *board);     /* the flash, as flash.bin keeps it */
struct image board_ram(struct board *board);

/* ---- board_run.c ---- */

/* Lets the line's bytes in and runs to `until` at most; returns early on sleep and lockup. In the
 * bootloader it answers what is there. Resets itself when asked to. */
void board_run(struct board *board, uint64_t until);

/* Is a character under way on the serial line? */
bool board_line_busy(const struct board *board);

#endif
