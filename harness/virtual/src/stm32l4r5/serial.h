/* SPDX-License-Identifier: MIT
 *
 * serial.h -- a USART or LPUART of an STM32L4R5, in asynchronous mode without its FIFO.
 *
 * Ref: ST RM0432, chapters "USART" and "LPUART". The kernel clock is taken to be the core clock. */
#ifndef SERIAL_H
#define SERIAL_H

#include "uart.h"

enum { SERIAL_BYTES = 0x400 };

struct serial {
    struct uart uart;
    unsigned irq;
    unsigned clock_scale;           /* of BRR: 1 for a USART, 256 for an LPUART */
    uint32_t cr1, cr2, cr3, brr;
    bool overrun, complete;         /* ORE, TC */
};

void serial_init(struct serial *s, struct cpu *cpu, unsigned irq, unsigned clock_scale);
void serial_reset(struct serial *s);
uint32_t serial_read(struct serial *s, uint32_t offset);
void serial_write(struct serial *s, uint32_t offset, uint32_t value);
void serial_service(struct serial *s);

#endif
