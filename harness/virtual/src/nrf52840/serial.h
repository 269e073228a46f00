/* SPDX-License-Identifier: MIT
 *
 * serial.h -- the UART of an nRF52840 (the one without DMA).
 *
 * Ref: nRF52840 Product Specification v1.11, chapter "UART". Six received characters are held; the
 * transmitter holds one. Not modelled: the UARTE's DMA, flow control, shortcuts. */
#ifndef SERIAL_H
#define SERIAL_H

#include "uart.h"

enum { SERIAL_IRQ = 2, SERIAL_BYTES = 0x1000 };

struct serial {
    struct uart uart;
    uint32_t regs[SERIAL_BYTES / 4];    /* events, errors, settings: as written */
    uint32_t interrupts;
};

void serial_init(struct serial *s, struct cpu *cpu);
void serial_reset(struct serial *s);
uint32_t serial_read(struct serial *s, uint32_t offset);
void serial_write(struct serial *s, uint32_t offset, uint32_t value);
void serial_service(struct serial *s);

#endif
