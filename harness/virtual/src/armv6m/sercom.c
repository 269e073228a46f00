/* SPDX-License-Identifier: MIT
 *
 * sercom.c -- see sercom.h. */
#include "sercom.h"

#include "register.h"

enum {
    CTRLA = 0x00, CTRLB = 0x04, BAUD = 0x0C, INTENCLR = 0x14, INTENSET = 0x16, INTFLAG = 0x18,
    STATUS = 0x1A, SYNCBUSY = 0x1C, DATA = 0x28
};

#define CTRLA_SWRST 1u
#define CTRLA_ENABLE 2u
#define CTRLA_MODE(ctrla) ((ctrla) >> 2 & 7)
#define CTRLA_SAMPR(ctrla) ((ctrla) >> 13 & 7)
#define CTRLA_FORM(ctrla) ((ctrla) >> 24 & 15)
#define MODE_USART_INTERNAL 1
#define CTRLB_CHSIZE(ctrlb) ((ctrlb) & 7)
#define CTRLB_SBMODE(ctrlb) ((ctrlb) >> 6 & 1)
#define CTRLB_TXEN (1u << 16)
#define CTRLB_RXEN (1u << 17)
#define FLAG_DRE 1u
#define FLAG_TXC 2u
#define FLAG_RXC 4u
#define FLAG_ERROR 0x80u
#define STATUS_BUFOVF 4u
#define RX_DEPTH 3

void sercom_init(struct sercom *s, struct cpu *cpu, unsigned irq)
{
    *s = (struct sercom){.cpu = cpu, .irq = irq};
    uart_init(&s->uart, cpu, RX_DEPTH, true);
    sercom_reset(s);
}

void sercom_reset(struct sercom *s)
{
    s->ctrla = s->ctrlb = 0;
    s->baud = s->status = 0;
    s->inten = s->flags = 0;
    uart_reset(&s->uart);
    exception_irq_level(s->cpu, s->irq, false);
}

static uint8_t all_flags(const struct sercom *s)
{
    uint32_t flags = s->flags;
    if (uart_ready(&s->uart))
        flags |= FLAG_DRE;
    if (s->uart.rx_count)
        flags |= FLAG_RXC;
    return (uint8_t)flags;
}

static void update_interrupt(struct sercom *s)
{
    exception_irq_level(s->cpu, s->irq, (all_flags(s) & s->inten) != 0);
}

/* ---- time ---- */

static unsigned character_bits(const struct sercom *s)
{
    static const unsigned data_bits[8] = {8, 9, 8, 8, 8, 5, 6, 7};
    unsigned parity = CTRLA_FORM(s->ctrla) == 1;
    return 1 + data_bits[CTRLB_CHSIZE(s->ctrlb)] + parity + 1 + CTRLB_SBMODE(s->ctrlb);
}

/* DS40001882, table "Baud Rate Equations". Arithmetic: f = fref / S * (1 - BAUD / 65536);
 * fractional: f = fref / (S * (BAUD + FP / 8)). Rounded to the nearest cycle a character. */
uint64_t sercom_character_cycles(const struct sercom *s)
{
    static const struct {
        uint8_t samples;
        bool fractional;
    } modes[8] = {{16, false}, {16, true}, {8, false}, {8, true}, {3, false},
                  {16, false}, {16, false}, {16, false}};
    unsigned sampr = CTRLA_SAMPR(s->ctrla);
    uint64_t samples = (uint64_t)modes[sampr].samples * character_bits(s);
    if (!modes[sampr].fractional) {
        uint64_t rate = 65536u - s->baud;
        return (samples * 65536 + rate / 2) / rate;
    }
    uint64_t eighths = (uint64_t)(s->baud & 0x1FFF) * 8 + (s->baud >> 13);
    uint64_t cycles = (samples * eighths + 4) / 8;
    return cycles ? cycles : samples;
}

/* ---- data ---- */

static uint32_t take_received(struct sercom *s)
{
    uint32_t value = uart_take(&s->uart);
    update_interrupt(s);
    return value;
}

static void write_data(struct sercom *s, uint32_t value)
{
    if (!s->uart.tx_on)
        return;
    s->flags &= (uint8_t)~FLAG_TXC;
    uart_send(&s->uart, value & 0x1FF);
    update_interrupt(s);
}

void sercom_service(struct sercom *s)
{
    uart_service(&s->uart);
    if (s->uart.sent && uart_idle(&s->uart))
        s->flags |= FLAG_TXC;
    if (s->uart.overrun) {
        s->status |= STATUS_BUFOVF;
        s->flags |= FLAG_ERROR;
    }
    s->uart.sent = s->uart.overrun = false;
    update_interrupt(s);
}

/* ---- registers ---- */

static bool enabled(const struct sercom *s, uint32_t direction)
{
    return CTRLA_MODE(s->ctrla) == MODE_USART_INTERNAL && (s->ctrla & CTRLA_ENABLE) &&
           (s->ctrlb & direction);
}

/* Disabling aborts what is under way (DS40001882, CTRLA.ENABLE); switching the receiver off empties it
 * (CTRLB.RXEN); switching the transmitter off lets what it has begun go out (CTRLB.TXEN). */
static void apply(struct sercom *s)
{
    uart_receive(&s->uart, enabled(s, CTRLB_RXEN));
    uart_transmit(&s->uart, enabled(s, CTRLB_TXEN));
    s->uart.character_cycles = sercom_character_cycles(s);
    if (!(s->ctrla & CTRLA_ENABLE))
        uart_abort(&s->uart);
}

static void write_control(struct sercom *s, uint32_t *control, uint32_t value)
{
    if (control == &s->ctrla && (value & CTRLA_SWRST)) {
        sercom_reset(s);
        return;
    }
    *control = value;
    apply(s);
}

static void write_baud(struct sercom *s, uint32_t value)
{
    s->baud = (uint16_t)value;
    s->uart.character_cycles = sercom_character_cycles(s);
}

static uint32_t word_at(const struct sercom *s, uint32_t offset)
{
    switch (offset) {
    case CTRLA:
        return s->ctrla;
    case CTRLB:
        return s->ctrlb;
    case BAUD:
        return s->baud;
    case INTENCLR & ~3:
        return (uint32_t)s->inten | (uint32_t)s->inten << 16;
    case INTFLAG & ~3:
        return all_flags(s) | (uint32_t)s->status << 16;
    default:
        return 0;                   /* SYNCBUSY among them: never busy */
    }
}

uint32_t sercom_read(struct sercom *s, uint32_t offset, unsigned size)
{
    if (offset == DATA)
        return take_received(s);
    return register_part(word_at(s, offset & ~3u), offset, size);
}

void sercom_write(struct sercom *s, uint32_t offset, unsigned size, uint32_t value)
{
    uint32_t merged = register_merge(word_at(s, offset & ~3u), offset, size, value);
    switch (offset) {
    case INTENCLR:
        s->inten &= (uint8_t)~value;
        break;
    case INTENSET:
        s->inten |= (uint8_t)value;
        break;
    case INTFLAG:
        s->flags &= (uint8_t)~value;
        break;
    case STATUS:
        s->status &= (uint16_t)~value;
        break;
    case DATA:
        write_data(s, value);
        break;
    default:
        if ((offset & ~3u) == CTRLA)
            write_control(s, &s->ctrla, merged);
        else if ((offset & ~3u) == CTRLB)
            write_control(s, &s->ctrlb, merged);
        else if (offset == BAUD)
            write_baud(s, merged);
        break;
    }
    update_interrupt(s);
}
