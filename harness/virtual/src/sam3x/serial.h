/* SPDX-License-Identifier: MIT
 *
 * serial.h -- the UART of a SAM3X8E.
 *
 * Ref: Atmel 11057C, chapter "Universal Asynchronous Receiver Transceiver (UART)". The master clock is
 * taken to be the core clock. One received character is held; parity only adds its bit. Chapter
 * "Peripheral DMA Controller (PDC)": a transfer takes no time and nothing of the core's; not modelled:
 * what it finds when it leaves memory. */
#ifndef SERIAL_H
#define SERIAL_H

#include "uart.h"

enum { SERIAL_IRQ = 8 };

/* One direction of the PDC: the place and count of bytes now, and of those afterwards. */
struct pdc {
    bool on;
    uint32_t at, count, next_at, next_count;
};

struct serial {
    struct uart uart;
    uint32_t mode, interrupts, divider;
    bool overrun;
    struct pdc rx, tx;
};

void serial_init(struct serial *s, struct cpu *cpu);
void serial_reset(struct serial *s);
uint32_t serial_read(struct serial *s, uint32_t offset);
void serial_write(struct serial *s, uint32_t offset, uint32_t value);
void serial_service(struct serial *s);

#endif
