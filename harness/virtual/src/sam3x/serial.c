/* SPDX-License-Identifier: MIT
 *
 * serial.c -- see serial.h. */
#include "serial.h"

enum {
    CR = 0x00, MR = 0x04, IER = 0x08, IDR = 0x0C, IMR = 0x10, SR = 0x14, RHR = 0x18, THR = 0x1C,
    BRGR = 0x20
};

#define CR_RSTRX (1u << 2)
#define CR_RSTTX (1u << 3)
#define CR_RXEN (1u << 4)
#define CR_RXDIS (1u << 5)
#define CR_TXEN (1u << 6)
#define CR_TXDIS (1u << 7)
#define CR_RSTSTA (1u << 8)
#define MR_PARITY(mode) ((mode) >> 9 & 7)
#define PARITY_NONE 4
#define SR_RXRDY 1u
#define SR_TXRDY 2u
#define SR_OVRE (1u << 5)
#define SR_TXEMPTY (1u << 9)

void serial_init(struct serial *s, struct cpu *cpu)
{
    *s = (struct serial){0};
    uart_init(&s->uart, cpu, 1, true);
}

static uint32_t status(const struct serial *s)
{
    uint32_t flags = s->uart.rx_count ? SR_RXRDY : 0;
    flags |= uart_ready(&s->uart) ? SR_TXRDY : 0;
    flags |= s->uart.tx_on && uart_idle(&s->uart) ? SR_TXEMPTY : 0;
    return flags | (s->overrun ? SR_OVRE : 0);
}

static void update_interrupt(struct serial *s)
{
    exception_irq_level(s->uart.cpu, SERIAL_IRQ, (status(s) & s->interrupts) != 0);
}

/* "Baud Rate Generator": MCK / (16 CD); a start bit, eight of data, parity or none, a stop bit. */
static void set_rate(struct serial *s)
{
    unsigned bits = MR_PARITY(s->mode) == PARITY_NONE ? 10 : 11;
    s->uart.character_cycles = (uint64_t)bits * 16 * (s->divider ? s->divider : 1);
}

void serial_reset(struct serial *s)
{
    uart_reset(&s->uart);
    s->mode = s->interrupts = s->divider = 0;
    s->overrun = false;
    set_rate(s);
    update_interrupt(s);
}

void serial_service(struct serial *s)
{
    uart_service(&s->uart);
    s->overrun = s->overrun || s->uart.overrun;
    s->uart.overrun = s->uart.sent = false;
    update_interrupt(s);
}

static void control(struct serial *s, uint32_t value)
{
    if (value & (CR_RSTRX | CR_RSTTX))
        uart_abort(&s->uart);
    if (value & (CR_RSTRX | CR_RXDIS))
        uart_receive(&s->uart, false);
    else if (value & CR_RXEN)
        uart_receive(&s->uart, true);
    if (value & (CR_RSTTX | CR_TXDIS))
        uart_transmit(&s->uart, false);
    else if (value & CR_TXEN)
        uart_transmit(&s->uart, true);
    if (value & CR_RSTSTA)
        s->overrun = false;
}

uint32_t serial_read(struct serial *s, uint32_t offset)
{
    uint32_t value = 0;
    switch (offset) {
    case MR:
        return s->mode;
    case IMR:
        return s->interrupts;
    case SR:
        return status(s);
    case RHR:
        value = uart_take(&s->uart);
        update_interrupt(s);
        return value;
    case BRGR:
        return s->divider;
    default:
        return 0;
    }
}

void serial_write(struct serial *s, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case CR:
        control(s, value);
        break;
    case MR:
        s->mode = value;
        break;
    case IER:
        s->interrupts |= value;
        break;
    case IDR:
        s->interrupts &= ~value;
        break;
    case THR:
        uart_send(&s->uart, value & 0xFF);
        break;
    case BRGR:
        s->divider = value & 0xFFFF;
        break;
    default:
        break;
    }
    set_rate(s);
    update_interrupt(s);
}
