/* SPDX-License-Identifier: MIT
 *
 * uart.c -- see uart.h. */
#include "uart.h"

void uart_init(struct uart *u, struct cpu *cpu, unsigned depth, bool holds)
{
    *u = (struct uart){.cpu = cpu, .depth = depth, .holds = holds};
    uart_reset(u);
}

void uart_reset(struct uart *u)
{
    u->rx_on = u->tx_on = u->overrun = u->sent = false;
    u->character_cycles = 1;
    uart_abort(u);
}

static void empty_receiver(struct uart *u)
{
    u->rx_count = 0;
    u->rx_shift = -1;
    u->rx_at = NEVER;
}

void uart_abort(struct uart *u)
{
    empty_receiver(u);
    u->tx_shift = u->tx_hold = -1;
    u->tx_at = NEVER;
}

uint64_t uart_next_event(const struct uart *u)
{
    return u->rx_at < u->tx_at ? u->rx_at : u->tx_at;
}

static void reschedule(struct uart *u)
{
    uint64_t next = uart_next_event(u);
    if (next < u->cpu->device_at) {
        u->cpu->device_at = next;
        u->cpu->stop_at = 0;
    }
}

/* ---- receiver ---- */

void uart_receive(struct uart *u, bool on)
{
    u->rx_on = on;
    if (!on)
        empty_receiver(u);
}

static void start_receive(struct uart *u, uint64_t from)
{
    u->rx_shift = u->line.receive ? u->line.receive(u->line.context) : -1;
    u->rx_at = u->rx_shift < 0 ? NEVER : from + u->character_cycles;
    if (u->rx_shift >= 0)
        reschedule(u);
}

void uart_poll(struct uart *u)
{
    if (!u->rx_on) {
        while (u->line.receive && u->line.receive(u->line.context) >= 0)
            continue;               /* nobody listens: lost on the line */
        return;
    }
    if (u->rx_at == NEVER)
        start_receive(u, u->cpu->cycles);
}

static void complete_receive(struct uart *u)
{
    uint64_t at = u->rx_at;
    if (u->rx_count < u->depth) {
        u->counts.rx_bytes++;
        u->rx[u->rx_count++] = (uint16_t)u->rx_shift;
    } else {
        u->counts.rx_overruns++;
        u->overrun = true;
    }
    start_receive(u, at);
}

uint16_t uart_take(struct uart *u)
{
    uint16_t character = u->rx[0];
    if (u->rx_count > 1)
        for (unsigned i = 1; i < u->rx_count; i++)
            u->rx[i - 1] = u->rx[i];
    if (u->rx_count)
        u->rx_count--;
    return character;
}

/* ---- transmitter ---- */

void uart_transmit(struct uart *u, bool on)
{
    u->tx_on = on;
}

bool uart_ready(const struct uart *u)
{
    return u->tx_on && (u->holds ? u->tx_hold : u->tx_shift) < 0;
}

bool uart_idle(const struct uart *u)
{
    return u->tx_shift < 0 && u->tx_hold < 0;
}

static void start_transmit(struct uart *u, uint64_t from)
{
    u->tx_shift = u->tx_hold;
    u->tx_hold = -1;
    u->tx_at = from + u->character_cycles;
    reschedule(u);
}

static void complete_transmit(struct uart *u)
{
    uint64_t at = u->tx_at;
    u->counts.tx_bytes++;
    if (u->line.transmit)
        u->line.transmit(u->line.context, (uint8_t)u->tx_shift);
    u->sent = true;
    u->tx_shift = -1;
    u->tx_at = NEVER;
    if (u->tx_hold >= 0)
        start_transmit(u, at);
}

void uart_send(struct uart *u, uint16_t character)
{
    if (!u->tx_on)
        return;
    u->tx_hold = character;
    if (u->tx_shift < 0 || !u->holds)
        start_transmit(u, u->cpu->cycles);
}

void uart_service(struct uart *u)
{
    if (u->cpu->cycles >= u->rx_at)
        complete_receive(u);
    if (u->cpu->cycles >= u->tx_at)
        complete_transmit(u);
}
