/* SPDX-License-Identifier: MIT
 *
 * serial.c -- see serial.h. */
#include "serial.h"

#include "memory.h"

enum {
    CR = 0x00, MR = 0x04, IER = 0x08, IDR = 0x0C, IMR = 0x10, SR = 0x14, RHR = 0x18, THR = 0x1C,
    BRGR = 0x20,
    RPR = 0x100, RCR = 0x104, TPR = 0x108, TCR = 0x10C, RNPR = 0x110, RNCR = 0x114, TNPR = 0x118,
    TNCR = 0x11C, PTCR = 0x120, PTSR = 0x124
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
#define SR_ENDRX (1u << 3)
#define SR_ENDTX (1u << 4)
#define SR_OVRE (1u << 5)
#define SR_TXEMPTY (1u << 9)
#define SR_TXBUFE (1u << 11)
#define SR_RXBUFF (1u << 12)
#define PTCR_RXTEN 1u
#define PTCR_RXTDIS (1u << 1)
#define PTCR_TXTEN (1u << 8)
#define PTCR_TXTDIS (1u << 9)

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
    flags |= s->rx.count ? 0 : SR_ENDRX;
    flags |= s->rx.count || s->rx.next_count ? 0 : SR_RXBUFF;
    flags |= s->tx.count ? 0 : SR_ENDTX;
    flags |= s->tx.count || s->tx.next_count ? 0 : SR_TXBUFE;
    return flags | (s->overrun ? SR_OVRE : 0);
}

static void update_interrupt(struct serial *s)
{
    exception_irq_level(s->uart.cpu, SERIAL_IRQ, (status(s) & s->interrupts) != 0);
}

/* ---- PDC ---- */

/* One byte on; the second buffer follows the first. */
static void advance(struct pdc *p)
{
    p->at++;
    if (--p->count || !p->next_count)
        return;
    p->at = p->next_at;
    p->count = p->next_count;
    p->next_count = 0;
}

static void move_received(struct serial *s)
{
    while (s->rx.on && s->rx.count && s->uart.rx_count) {
        memory_write(s->uart.cpu, s->rx.at, 1, uart_take(&s->uart));
        advance(&s->rx);
    }
}

static void move_sent(struct serial *s)
{
    while (s->tx.on && s->tx.count && uart_ready(&s->uart)) {
        uint32_t byte = 0;
        memory_read(s->uart.cpu, s->tx.at, 1, &byte);
        uart_send(&s->uart, (uint16_t)byte);
        advance(&s->tx);
    }
}

static void move(struct serial *s)
{
    move_received(s);
    move_sent(s);
}

static uint32_t *pdc_register(struct serial *s, uint32_t offset)
{
    uint32_t *const registers[] = {&s->rx.at, &s->rx.count, &s->tx.at, &s->tx.count,
                                   &s->rx.next_at, &s->rx.next_count, &s->tx.next_at,
                                   &s->tx.next_count};
    return offset >= RPR && offset <= TNCR ? registers[(offset - RPR) / 4] : NULL;
}

static void control_pdc(struct serial *s, uint32_t value)
{
    if (value & (PTCR_RXTEN | PTCR_RXTDIS))
        s->rx.on = !(value & PTCR_RXTDIS);
    if (value & (PTCR_TXTEN | PTCR_TXTDIS))
        s->tx.on = !(value & PTCR_TXTDIS);
}

/* ---- the rest ---- */

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
    s->rx = s->tx = (struct pdc){0};
    set_rate(s);
    update_interrupt(s);
}

void serial_service(struct serial *s)
{
    uart_service(&s->uart);
    s->overrun = s->overrun || s->uart.overrun;
    s->uart.overrun = s->uart.sent = false;
    move(s);
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
    if (pdc_register(s, offset))
        return *pdc_register(s, offset);
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
    case PTSR:
        return (s->rx.on ? PTCR_RXTEN : 0) | (s->tx.on ? PTCR_TXTEN : 0);
    default:
        return 0;
    }
}

void serial_write(struct serial *s, uint32_t offset, uint32_t value)
{
    if (pdc_register(s, offset))
        *pdc_register(s, offset) = value;
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
    case PTCR:
        control_pdc(s, value);
        break;
    default:
        break;
    }
    set_rate(s);
    move(s);
    update_interrupt(s);
}
