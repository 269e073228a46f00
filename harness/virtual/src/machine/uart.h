/* SPDX-License-Identifier: MIT
 *
 * uart.h -- the part that all UARTs share: characters at line rate through a receiver of some depth
 * and a transmitter with or without a holding register. The registers are the owner's.
 *
 * A character takes `character_cycles` in both directions. The receiver holds `depth` characters, the
 * one in its shift register included; what arrives then is lost, sets `overrun` and is counted. Not
 * modelled: parity and frame errors, flow control, a wrong rate at the other end. */
#ifndef UART_H
#define UART_H

#include "cpu.h"
#include "line.h"

enum { UART_DEPTH = 8 };

struct uart {
    struct cpu *cpu;
    struct line line;
    unsigned depth;                 /* 1 to UART_DEPTH */
    bool holds;                     /* the transmitter has a holding register */
    uint64_t character_cycles;      /* core cycles of one character, with start and stop bits */
    bool rx_on, tx_on;
    bool overrun, sent;             /* set here, cleared by the owner; `sent`: one has left */
    uint16_t rx[UART_DEPTH];
    unsigned rx_count;
    int rx_shift;                   /* the character on the line, or -1 */
    int tx_shift, tx_hold;          /* or -1 */
    uint64_t rx_at, tx_at;          /* when those characters are complete, or NEVER */
    struct line_counts counts;
};

void uart_init(struct uart *u, struct cpu *cpu, unsigned depth, bool holds);
/* Everything off and empty; the counts and the line stay. */
void uart_reset(struct uart *u);

void uart_receive(struct uart *u, bool on);     /* off: empties the receiver */
void uart_transmit(struct uart *u, bool on);    /* off: what has begun goes out */
void uart_abort(struct uart *u);                /* forgets what is under way in either direction */

/* May a character be given to the transmitter? Has the last one left? */
bool uart_ready(const struct uart *u);
bool uart_idle(const struct uart *u);
/* One that is not ready loses what it held. */
void uart_send(struct uart *u, uint16_t character);
/* The oldest received character; the last one again when there is none. */
uint16_t uart_take(struct uart *u);

/* Looks whether the line has something, if the receiver is idle. */
void uart_poll(struct uart *u);
/* Completes the characters whose time has come. */
void uart_service(struct uart *u);
uint64_t uart_next_event(const struct uart *u);

#endif
