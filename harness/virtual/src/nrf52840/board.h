/* SPDX-License-Identifier: MIT
 *
 * board.h -- an Arduino Nano 33 BLE: an nRF52840 whose UART leads to the pins D0 and D1.
 *
 * Ref: nRF52840 Product Specification v1.11.
 *
 * The bootloader in the first 64 KB is not modelled: a debug probe writes the flash (probe.h), and a
 * reset starts the program behind it, as the bootloader would. No USB, no radio. Clock: 64 MHz. */
#ifndef BOARD_H
#define BOARD_H

#include "cpu.h"
#include "machine.h"
#include "marks.h"
#include "serial.h"
#include "store.h"

#define BOARD_APPLICATION 0x10000u
#define RAM_BASE 0x20000000u

enum { FLASH_BYTES = 0x100000, RAM_BYTES = 0x40000 };

struct board {
    struct cpu cpu;
    uint8_t flash[FLASH_BYTES];
    uint8_t ram[RAM_BYTES];
    struct serial uart;
    struct store store;
    uint32_t port1_out;
    struct marks marks;
    struct line line;
    struct uart *serial;
    bool in_bootloader;             /* never */
    uint64_t resets;
    void (*flash_changed)(void *context);
    void *context;
};

#endif
