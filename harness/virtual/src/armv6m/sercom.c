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

void sercom_init(struct sercom *s, struct cpu *cpu, unsigned irq)
{
    *s = (struct sercom){.cpu = cpu, .irq = irq};
    sercom_reset(s);
}

void sercom_reset(struct sercom *s)
{
    s->ctrla = s->ctrlb = 0;
    s->baud = s->status = 0;
    s->inten = s->flags = 0;
    s->rx_count = 0;
    s->rx_shift = s->tx_shift = s->tx_buffer = -1;
    s->rx_at = s->tx_at = NEVER;
    exception_irq_level(s->cpu, s->irq, false);
}

static bool enabled(const struct sercom *s, uint32_t direction)
{
    return CTRLA_MODE(s->ctrla) == MODE_USART_INTERNAL && (s->ctrla & CTRLA_ENABLE) &&
           (s->ctrlb & direction);
}

static uint8_t all_flags(const struct sercom *s)
{
    uint32_t flags = s->flags;
    if (enabled(s, CTRLB_TXEN) && s->tx_buffer < 0)
        flags |= FLAG_DRE;
    if (s->rx_count)
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

uint64_t sercom_next_event(const struct sercom *s)
{
    return s->rx_at < s->tx_at ? s->rx_at : s->tx_at;
}

static void reschedule(struct sercom *s)
{
    uint64_t next = sercom_next_event(s);
    if (next < s->cpu->device_at) {
        s->cpu->device_at = next;
        s->cpu->stop_at = 0;
    }
}

/* ---- receiver ---- */

static void start_receive(struct sercom *s, uint64_t from)
{
    int byte = s->line.receive ? s->line.receive(s->line.context) : -1;
    s->rx_shift = byte;
    s->rx_at = byte < 0 ? NEVER : from + sercom_character_cycles(s);
    if (byte >= 0)
        reschedule(s);
}

void sercom_poll(struct sercom *s)
{
    if (!enabled(s, CTRLB_RXEN)) {
        while (s->line.receive && s->line.receive(s->line.context) >= 0)
            continue;               /* nobody listens: lost on the line */
        return;
    }
    if (s->rx_at == NEVER)
        start_receive(s, s->cpu->cycles);
}

static void complete_receive(struct sercom *s)
{
    uint64_t at = s->rx_at;
    if (s->rx_count < SERCOM_RX_DEPTH) {
        s->rx_bytes++;
        s->rx[s->rx_count++] = (uint16_t)s->rx_shift;
    } else {
        s->rx_overruns++;
        s->status |= STATUS_BUFOVF;
        s->flags |= FLAG_ERROR;
    }
    start_receive(s, at);
}

static uint32_t take_received(struct sercom *s)
{
    uint32_t value = s->rx[0];
    if (s->rx_count) {
        s->rx_count--;
        s->rx[0] = s->rx[1];
        s->rx[1] = s->rx[2];
        update_interrupt(s);
    }
    return value;
}

/* ---- transmitter ---- */

static void start_transmit(struct sercom *s, uint64_t from)
{
    s->tx_shift = s->tx_buffer;
    s->tx_buffer = -1;
    s->tx_at = from + sercom_character_cycles(s);
    reschedule(s);
}

static void complete_transmit(struct sercom *s)
{
    uint64_t at = s->tx_at;
    s->tx_bytes++;
    if (s->line.transmit)
        s->line.transmit(s->line.context, (uint8_t)s->tx_shift);
    s->tx_shift = -1;
    s->tx_at = NEVER;
    if (s->tx_buffer >= 0)
        start_transmit(s, at);
    else
        s->flags |= FLAG_TXC;
}

static void write_data(struct sercom *s, uint32_t value)
{
    if (!enabled(s, CTRLB_TXEN))
        return;
    s->flags &= (uint8_t)~FLAG_TXC;
    s->tx_buffer = (int)(value & 0x1FF);
    if (s->tx_shift < 0)
        start_transmit(s, s->cpu->cycles);
    update_interrupt(s);
}

void sercom_service(struct sercom *s)
{
    if (s->cpu->cycles >= s->rx_at)
        complete_receive(s);
    if (s->cpu->cycles >= s->tx_at)
        complete_transmit(s);
    update_interrupt(s);
}

/* ---- registers ---- */

/* Switching the receiver off empties it (DS40001882, CTRLB.RXEN); switching the transmitter off lets
 * what it has begun go out (CTRLB.TXEN). */
static void empty_receiver(struct sercom *s)
{
    s->rx_count = 0;
    s->rx_shift = -1;
    s->rx_at = NEVER;
}

/* Disabling aborts what is under way (DS40001882, CTRLA.ENABLE). */
static void write_ctrla(struct sercom *s, uint32_t value)
{
    if (value & CTRLA_SWRST) {
        sercom_reset(s);
        return;
    }
    s->ctrla = value;
    if (value & CTRLA_ENABLE)
        return;
    empty_receiver(s);
    s->tx_shift = s->tx_buffer = -1;
    s->tx_at = NEVER;
}

static void write_ctrlb(struct sercom *s, uint32_t value)
{
    s->ctrlb = value;
    if (!(value & CTRLB_RXEN))
        empty_receiver(s);
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
            write_ctrla(s, merged);
        else if ((offset & ~3u) == CTRLB)
            write_ctrlb(s, merged);
        else if (offset == BAUD)
            s->baud = (uint16_t)merged;
        break;
    }
    update_interrupt(s);
}
