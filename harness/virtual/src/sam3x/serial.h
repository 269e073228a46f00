/* SPDX-License-Identifier: MIT
 *
 * serial.h -- the UART of a SAM3X8E.
 *
 * Ref: Atmel 11057C, chapter "Universal Asynchronous Receiver Transceiver (UART)". The master clock is
 * taken to be the core clock. One received character is held; parity only adds its bit. */
#ifndef SERIAL_H
#define SERIAL_H

#include "uart.h"

enum { SERIAL_IRQ = 8 };

struct serial {
    struct uart uart;
    uint32_t mode, interrupts, divider;
    bool overrun;
};

void serial_init(struct serial *s, struct cpu *cpu);
void serial_reset(struct serial *s);
uint32_t serial_read(struct serial *s, uint32_t offset);
void serial_write(struct serial *s, uint32_t offset, uint32_t value);
void serial_service(struct serial *s);

#endif
