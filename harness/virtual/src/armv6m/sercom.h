/* SPDX-License-Identifier: MIT
 *
 * sercom.h -- one SERCOM as a USART at line rate.
 *
 * Ref: DS40001882, chapters "SERCOM - Serial Communication Interface" and "SERCOM USART".
 *
 * The reference clock is taken to be the core clock. A character takes its bits times the bit time
 * of BAUD in both directions. The receiver holds two characters and a third in its shift register;
 * what arrives then is lost, sets STATUS.BUFOVF and is counted. Modes other than USART are mere
 * storage. Not modelled: parity and frame errors, flow control, synchronisation delays. */
#ifndef SERCOM_H
#define SERCOM_H

#include "cpu.h"

enum { SERCOM_RX_DEPTH = 3 };

/* The far end of the line; both may be NULL. `receive` returns the next byte or -1. */
struct sercom_line {
    int (*receive)(void *context);
    void (*transmit)(void *context, uint8_t byte);
    void *context;
};

struct sercom {
    struct cpu *cpu;
    unsigned irq;
    struct sercom_line line;
    uint32_t ctrla, ctrlb;
    uint16_t baud, status;
    uint8_t inten, flags;                   /* flags: TXC, RXC, ERROR; DRE is worked out */
    uint16_t rx[SERCOM_RX_DEPTH];
    unsigned rx_count;
    int rx_shift;                           /* the character on the line, or -1 */
    int tx_shift, tx_buffer;                /* or -1 */
    uint64_t rx_at, tx_at;                  /* when those characters are complete, or NEVER */
    uint64_t rx_bytes, tx_bytes, rx_overruns;   /* since the process began */
};

void sercom_init(struct sercom *s, struct cpu *cpu, unsigned irq);
void sercom_reset(struct sercom *s);
uint32_t sercom_read(struct sercom *s, uint32_t offset, unsigned size);
void sercom_write(struct sercom *s, uint32_t offset, unsigned size, uint32_t value);

/* Looks whether the line has something, if the receiver is idle. */
void sercom_poll(struct sercom *s);
/* Completes the characters whose time has come. */
void sercom_service(struct sercom *s);
uint64_t sercom_next_event(const struct sercom *s);
/* Core cycles of one character with its start, parity and stop bits. */
uint64_t sercom_character_cycles(const struct sercom *s);

#endif
