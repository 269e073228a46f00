/* SPDX-License-Identifier: MIT
 *
 * board.h -- an Arduino Due: an ATSAM3X8E whose UART leads to the ATmega16U2 of the programming port,
 * with the SAM-BA monitor in its ROM.
 *
 * Ref: Atmel 11057C, SAM3X / SAM3A Series data sheet.
 *
 * The 16U2: opening the port resets the chip for some ms (20 here), so that a client is ready to read
 * when the program starts; closing it at 1200 baud pulls the ERASE pin and resets, which leaves nothing
 * in flash and the ROM in control until GPNVM1 is set again.
 * Clock: 84 MHz from reset on; the set-up sequence runs but changes nothing. */
#ifndef BOARD_H
#define BOARD_H

#include "cpu.h"
#include "eefc.h"
#include "machine.h"
#include "marks.h"
#include "samba.h"
#include "serial.h"
#include "store.h"

#define FLASH_BASE 0x80000u
#define RAM_BASE 0x20070000u

enum { FLASH_BYTES = EEFC_PLANES * EEFC_PLANE_BYTES, RAM_BYTES = 0x18000, ROM_BYTES = 0x4000,
       NFC_BYTES = 0x1000 };

struct board {
    struct cpu cpu;
    uint8_t flash[FLASH_BYTES];
    uint8_t ram[RAM_BYTES];
    uint8_t rom[ROM_BYTES];
    uint8_t nfc[NFC_BYTES];         /* RAM of the NAND flash controller, free for other use */
    struct eefc eefc[EEFC_PLANES];
    uint32_t gpnvm;
    struct serial uart;
    struct store store;
    uint32_t pio_out;               /* port C */
    struct samba samba;
    struct samba_target monitor;
    struct marks marks;
    struct line line;
    struct uart *serial;
    bool in_bootloader;
    uint64_t resets;
    void (*flash_changed)(void *context);
    void *context;
};

#endif
