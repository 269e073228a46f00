/* SPDX-License-Identifier: MIT
 *
 * board.h -- a board with a SAM D21G18A (MKR1000, Zero and their kind): core, memories, peripherals,
 * and the SAM-BA monitor in the bootloader area. Knows nothing of ptys and processes.
 *
 * Clock: 48 MHz from reset on. On silicon the chip starts from an 8 MHz oscillator divided to 1 MHz
 * and firmware switches over; here the set-up sequence runs but changes nothing. */
#ifndef BOARD_H
#define BOARD_H

#include "cpu.h"
#include "nvm.h"
#include "port.h"
#include "samba.h"
#include "sercom.h"
#include "stubs.h"

#define BOARD_CLOCK_HZ 48000000u
#define BOARD_APPLICATION 0x2000u

enum { BOARD_SERCOMS = 6, BOARD_SERIAL = 5 };      /* SERCOM5 on PB22 and PB23 */

struct board {
    struct cpu cpu;
    uint8_t flash[FLASH_SIZE];
    uint8_t ram[RAM_SIZE];
    struct stubs stubs;
    struct nvm nvm;
    struct port port;
    struct sercom sercom[BOARD_SERCOMS];
    struct sercom_line line;        /* of the serial port: monitor and SERCOM5 */
    struct samba samba;
    struct samba_target monitor;
    bool in_monitor;
    uint64_t resets;            /* of any kind, after power-on */
};

/* Flash erased apart from the bootloader stub; `line` is the far end of the serial port. Call
 * board_reset after the flash image, if any, has been loaded into `flash`. */
void board_init(struct board *board, const struct sercom_line *line);

/* Starts the application if there is one, as the bootloader does, else the monitor. */
void board_reset(struct board *board, uint8_t reset_cause);

/* Into the monitor: the 1200-baud touch. */
void board_enter_monitor(struct board *board);

/* Lets the line's bytes in and runs to `until` at most; returns early on sleep and lockup. In the
 * monitor it answers what is there. Resets itself when asked to. */
void board_run(struct board *board, uint64_t until);

/* Is a character under way on the serial line? */
bool board_line_busy(const struct board *board);

#endif
