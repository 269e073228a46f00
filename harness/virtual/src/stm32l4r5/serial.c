/* SPDX-License-Identifier: MIT
 *
 * serial.c -- see serial.h. */
#include "serial.h"

enum {
    CR1 = 0x00, CR2 = 0x04, CR3 = 0x08, BRR = 0x0C, ISR = 0x1C, ICR = 0x20, RDR = 0x24, TDR = 0x28
};

#define CR1_UE 1u
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_TCIE (1u << 6)
#define CR1_TXEIE (1u << 7)
#define CR1_OVER8 (1u << 15)
#define ISR_ORE (1u << 3)
#define ISR_RXNE (1u << 5)
#define ISR_TC (1u << 6)
#define ISR_TXE (1u << 7)
#define ISR_TEACK (1u << 21)
#define ISR_REACK (1u << 22)
#define CHARACTER_BITS 10

void serial_init(struct serial *s, struct cpu *cpu, unsigned irq, unsigned clock_scale)
{
    *s = (struct serial){.irq = irq, .clock_scale = clock_scale};
    uart_init(&s->uart, cpu, 1, true);
}

static uint32_t status(const struct serial *s)
{
    uint32_t flags = s->uart.rx_count ? ISR_RXNE : 0;
    flags |= s->uart.tx_hold < 0 ? ISR_TXE : 0;
    flags |= s->complete ? ISR_TC : 0;
    flags |= s->overrun ? ISR_ORE : 0;
    return flags | (s->uart.tx_on ? ISR_TEACK : 0) | (s->uart.rx_on ? ISR_REACK : 0);
}

/* An overrun interrupts along with the character before it ("Overrun error"). */
static void update_interrupt(struct serial *s)
{
    uint32_t flags = status(s), wanted = s->cr1;
    bool level = ((wanted & CR1_RXNEIE) && (flags & (ISR_RXNE | ISR_ORE))) ||
                 ((wanted & CR1_TCIE) && (flags & ISR_TC)) ||
                 ((wanted & CR1_TXEIE) && (flags & ISR_TXE));
    exception_irq_level(s->uart.cpu, s->irq, level);
}

/* "USART baud rate generation", 16 samples a bit: clock / BRR; LPUART: 256 clock / BRR. With OVER8 the
 * lowest three bits of BRR are halved and the rest counts half a bit. */
static void set_rate(struct serial *s)
{
    uint64_t divider = s->brr;
    if (s->cr1 & CR1_OVER8)
        divider = (s->brr & ~15u) / 2 + (s->brr & 7);
    uint64_t cycles = CHARACTER_BITS * divider / s->clock_scale;
    s->uart.character_cycles = cycles ? cycles : 1;
}

void serial_reset(struct serial *s)
{
    s->cr1 = s->cr2 = s->cr3 = s->brr = 0;
    s->overrun = false;
    s->complete = true;
    uart_reset(&s->uart);
    set_rate(s);
    update_interrupt(s);
}

void serial_service(struct serial *s)
{
    uart_service(&s->uart);
    s->overrun = s->overrun || s->uart.overrun;
    if (s->uart.sent && uart_idle(&s->uart))
        s->complete = true;
    s->uart.overrun = s->uart.sent = false;
    update_interrupt(s);
}

static void write_cr1(struct serial *s, uint32_t value)
{
    bool on = value & CR1_UE;
    s->cr1 = value;
    uart_receive(&s->uart, on && (value & CR1_RE));
    uart_transmit(&s->uart, on && (value & CR1_TE));
    if (!on)
        uart_abort(&s->uart);
}

static void send(struct serial *s, uint32_t value)
{
    if (s->uart.tx_on)
        s->complete = false;
    uart_send(&s->uart, value & 0xFF);
}

uint32_t serial_read(struct serial *s, uint32_t offset)
{
    uint32_t value;
    switch (offset) {
    case CR1:
        return s->cr1;
    case CR2:
        return s->cr2;
    case CR3:
        return s->cr3;
    case BRR:
        return s->brr;
    case ISR:
        return status(s);
    case RDR:
        value = uart_take(&s->uart);
        update_interrupt(s);
        return value;
    default:
        return 0;
    }
}

void serial_write(struct serial *s, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case CR1:
        write_cr1(s, value);
        break;
    case CR2:
        s->cr2 = value;
        break;
    case CR3:
        s->cr3 = value;
        break;
    case BRR:
        s->brr = value;
        break;
    case ICR:
        s->overrun = s->overrun && !(value & ISR_ORE);
        s->complete = s->complete && !(value & ISR_TC);
        break;
    case TDR:
        send(s, value);
        break;
    default:
        break;
    }
    set_rate(s);
    update_interrupt(s);
}
