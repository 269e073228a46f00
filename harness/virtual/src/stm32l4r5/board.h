/* SPDX-License-Identifier: MIT
 *
 * board.h -- a Nucleo-L4R5ZI: an STM32L4R5ZI whose USART2 (PA2, PA3) leads to a serial adaptor, with
 * the system bootloader in its ROM and LPUART1 leading nowhere.
 *
 * Ref: ST RM0432; AN2606, "STM32 microcontroller system memory boot mode", STM32L4Rxxx.
 *
 * BOOT0 is held for one reset by the control request `bootloader`, as an adaptor's line or a jumper and
 * the button do on the desk. Clock: 120 MHz from reset on. */
#ifndef BOARD_H
#define BOARD_H

#include "an3155.h"
#include "cpu.h"
#include "machine.h"
#include "marks.h"
#include "serial.h"
#include "store.h"

#define FLASH_BASE 0x08000000u
#define RAM_BASE 0x20000000u

enum {
    FLASH_BYTES = 0x200000,
    PAGE_BYTES = 0x1000,            /* dual-bank mode, as delivered */
    RAM_BYTES = 0xA0000,
    BOOTLOADER_RAM_BYTES = 0x3200,  /* at the start of RAM, while it runs */
    UARTS = 2
};

struct board {
    struct cpu cpu;
    uint8_t flash[FLASH_BYTES];
    uint8_t ram[RAM_BYTES];
    struct serial uarts[UARTS];
    struct store store;
    uint32_t port_e;                /* output data */
    struct an3155 bootloader;
    struct an3155_target chip;
    struct marks marks;
    struct line line;
    struct uart *serial;
    bool in_bootloader;
    uint64_t resets;
    void (*flash_changed)(void *context);
    void *context;
};

#endif
