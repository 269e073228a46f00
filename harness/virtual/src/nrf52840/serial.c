/* SPDX-License-Identifier: MIT
 *
 * serial.c -- see serial.h. */
#include "serial.h"

#include <string.h>

enum {
    STARTRX = 0x000, STOPRX = 0x004, STARTTX = 0x008, STOPTX = 0x00C,
    RXDRDY = 0x108, TXDRDY = 0x11C, ERROR = 0x124,
    INTENSET = 0x304, INTENCLR = 0x308, ERRORSRC = 0x480, ENABLE = 0x500,
    RXD = 0x518, TXD = 0x51C, BAUDRATE = 0x524, CONFIG = 0x56C
};

#define EVENT(offset) (1u << ((offset) - 0x100) / 4)    /* its bit in INTEN */
#define ENABLE_UART 4u
#define ERRORSRC_OVERRUN 1u
#define CONFIG_PARITY 0xEu
#define CONFIG_TWO_STOPS 0x10u
#define RX_DEPTH 6
#define PERIPHERAL_HZ 16000000u
#define CORE_HZ 64000000u

void serial_init(struct serial *s, struct cpu *cpu)
{
    memset(s, 0, sizeof *s);
    uart_init(&s->uart, cpu, RX_DEPTH, false);
}

static uint32_t *reg(struct serial *s, uint32_t offset)
{
    return &s->regs[offset / 4];
}

static void update_interrupt(struct serial *s)
{
    static const uint32_t events[] = {RXDRDY, TXDRDY, ERROR};
    bool level = false;
    for (unsigned i = 0; i < sizeof events / sizeof *events; i++)
        level = level || (*reg(s, events[i]) && (s->interrupts & EVENT(events[i])));
    exception_irq_level(s->uart.cpu, SERIAL_IRQ, level);
}

/* BAUDRATE = rate * 2^32 / 16 MHz; rounded to the nearest cycle a character. */
static void set_rate(struct serial *s)
{
    uint32_t config = *reg(s, CONFIG);
    uint64_t bits = 10u + (config & CONFIG_PARITY ? 1u : 0u) + (config & CONFIG_TWO_STOPS ? 1u : 0u);
    uint64_t rate = (uint64_t)*reg(s, BAUDRATE) * PERIPHERAL_HZ >> 32;
    s->uart.character_cycles = rate ? (bits * CORE_HZ + rate / 2) / rate : 1;
}

void serial_reset(struct serial *s)
{
    memset(s->regs, 0, sizeof s->regs);
    *reg(s, BAUDRATE) = 0x04000000;
    s->interrupts = 0;
    uart_reset(&s->uart);
    set_rate(s);
    update_interrupt(s);
}

void serial_service(struct serial *s)
{
    unsigned before = s->uart.rx_count;
    uart_service(&s->uart);
    if (s->uart.rx_count != before)
        *reg(s, RXDRDY) = 1;
    if (s->uart.sent)
        *reg(s, TXDRDY) = 1;
    if (s->uart.overrun) {
        *reg(s, ERRORSRC) |= ERRORSRC_OVERRUN;
        *reg(s, ERROR) = 1;
    }
    s->uart.overrun = s->uart.sent = false;
    update_interrupt(s);
}

/* What waits behind the character that is read moves up and is announced anew. */
static uint32_t take(struct serial *s)
{
    uint32_t value = uart_take(&s->uart);
    if (s->uart.rx_count)
        *reg(s, RXDRDY) = 1;
    update_interrupt(s);
    return value;
}

static void start(struct serial *s, uint32_t task)
{
    bool on = *reg(s, ENABLE) == ENABLE_UART;
    if (task == STARTRX || task == STOPRX)
        uart_receive(&s->uart, on && task == STARTRX);
    else
        uart_transmit(&s->uart, on && task == STARTTX);
}

uint32_t serial_read(struct serial *s, uint32_t offset)
{
    if (offset == RXD)
        return take(s);
    if (offset == INTENSET || offset == INTENCLR)
        return s->interrupts;
    return *reg(s, offset);
}

void serial_write(struct serial *s, uint32_t offset, uint32_t value)
{
    if (offset <= STOPTX) {
        start(s, offset);
    } else if (offset == TXD) {
        uart_send(&s->uart, value & 0xFF);
    } else if (offset == INTENSET) {
        s->interrupts |= value;
    } else if (offset == INTENCLR) {
        s->interrupts &= ~value;
    } else if (offset == ERRORSRC) {
        *reg(s, ERRORSRC) &= ~value;
    } else {
        *reg(s, offset) = value;
        set_rate(s);
    }
    update_interrupt(s);
}
