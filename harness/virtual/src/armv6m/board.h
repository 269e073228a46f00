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
#include "dmac.h"
#include "machine.h"
#include "marks.h"
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
    struct dmac dmac;
    struct marks marks;
    struct samba samba;
    struct samba_target monitor;
    struct line line;               /* of the serial port: monitor and SERCOM5 */
    struct uart *serial;
    bool in_bootloader;
    uint64_t resets;
    void (*flash_changed)(void *context);
    void *context;
};

#endif
