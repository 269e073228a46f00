/* SPDX-License-Identifier: MIT
 *
 * sercom.h -- one SERCOM as a USART at line rate.
 *
 * Ref: DS40001882, chapters "SERCOM - Serial Communication Interface" and "SERCOM USART".
 *
 * The reference clock is taken to be the core clock. A character takes its bits times the bit time
 * of BAUD in both directions (uart.h). The receiver holds two characters and a third in its shift
 * register; what arrives then is lost and sets STATUS.BUFOVF. Modes other than USART are mere storage.
 * Not modelled: synchronisation delays. */
#ifndef SERCOM_H
#define SERCOM_H

#include "uart.h"

struct sercom {
    struct cpu *cpu;
    unsigned irq;
    struct uart uart;
    uint32_t ctrla, ctrlb;
    uint16_t baud, status;
    uint8_t inten, flags;           /* flags: TXC, ERROR; RXC and DRE are worked out */
};

void sercom_init(struct sercom *s, struct cpu *cpu, unsigned irq);
void sercom_reset(struct sercom *s);
uint32_t sercom_read(struct sercom *s, uint32_t offset, unsigned size);
void sercom_write(struct sercom *s, uint32_t offset, unsigned size, uint32_t value);

/* Completes the characters whose time has come. */
void sercom_service(struct sercom *s);
/* Core cycles of one character with its start, parity and stop bits. */
uint64_t sercom_character_cycles(const struct sercom *s);

#endif
