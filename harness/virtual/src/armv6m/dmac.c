/* SPDX-License-Identifier: MIT
 *
 * dmac.c -- see dmac.h. */
#include "dmac.h"

#include "memory.h"
#include "register.h"

enum { CTRL = 0x00, BASEADDR = 0x34, WRBADDR = 0x38, CHID = 0x3F, CHCTRLA = 0x40, CHCTRLB = 0x44 };
enum { BTCTRL = 0, BTCNT = 2, SRCADDR = 4, DSTADDR = 8, DESCRIPTOR_BYTES = 16 };

#define CTRL_SWRST 1u
#define CTRL_DMAENABLE 2u
#define CHCTRLA_SWRST 1u
#define CHCTRLA_ENABLE 2u
#define CHCTRLB_TRIGSRC(settings) ((settings) >> 8 & 0x3F)
#define BTCTRL_VALID 1u
#define BTCTRL_SRCINC (1u << 10)
#define BTCTRL_DSTINC (1u << 11)

void dmac_init(struct dmac *d, struct cpu *cpu, const struct sercom *sercoms, unsigned n_sercoms)
{
    *d = (struct dmac){.cpu = cpu, .sercoms = sercoms, .n_sercoms = n_sercoms};
}

void dmac_reset(struct dmac *d)
{
    dmac_init(d, d->cpu, d->sercoms, d->n_sercoms);
}

static uint32_t fetch(const struct dmac *d, uint32_t address, unsigned size)
{
    uint32_t value = 0;
    memory_read(d->cpu, address, size, &value);
    return value;
}

/* ---- beats ---- */

/* Table "Peripheral trigger source": 1 SERCOM0 RX, 2 SERCOM0 TX, 3 SERCOM1 RX, ... */
static bool is_asked(const struct dmac *d, const struct dmac_channel *c)
{
    unsigned source = CHCTRLB_TRIGSRC(c->settings);
    if (source == 0 || source > 2 * d->n_sercoms)
        return false;
    const struct uart *uart = &d->sercoms[(source - 1) / 2].uart;
    return source % 2 ? uart->rx_count > 0 : uart_ready(uart);
}

/* With an increment the descriptor holds the address behind the last beat ("Addressing"). */
static uint32_t place(const struct dmac_channel *c, uint32_t end, uint16_t increments)
{
    return c->control & increments ? end - c->left : end;
}

static void write_back(struct dmac *d, unsigned channel)
{
    const struct dmac_channel *c = &d->channels[channel];
    uint32_t at = d->write_back + channel * DESCRIPTOR_BYTES;
    memory_write(d->cpu, at + BTCTRL, 2, c->control);
    memory_write(d->cpu, at + BTCNT, 2, c->left);
    memory_write(d->cpu, at + SRCADDR, 4, c->source);
    memory_write(d->cpu, at + DSTADDR, 4, c->destination);
}

static void beat(struct dmac *d, unsigned channel)
{
    struct dmac_channel *c = &d->channels[channel];
    uint32_t byte = fetch(d, place(c, c->source, BTCTRL_SRCINC), 1);
    memory_write(d->cpu, place(c, c->destination, BTCTRL_DSTINC), 1, byte);
    if (--c->left == 0) {
        c->control &= (uint16_t)~BTCTRL_VALID;
        c->on = false;
    }
    write_back(d, channel);
}

void dmac_service(struct dmac *d)
{
    if (!(d->control & CTRL_DMAENABLE))
        return;
    for (unsigned i = 0; i < DMAC_CHANNELS; i++)
        while (d->channels[i].on && is_asked(d, &d->channels[i]))
            beat(d, i);
}

/* ---- registers ---- */

static void enable(struct dmac *d, struct dmac_channel *c, uint32_t value)
{
    if (value & CHCTRLA_SWRST) {
        *c = (struct dmac_channel){0};
        return;
    }
    bool begins = !c->on && (value & CHCTRLA_ENABLE);
    c->on = value & CHCTRLA_ENABLE;
    if (!begins)
        return;
    uint32_t at = d->descriptors + d->selected * DESCRIPTOR_BYTES;
    c->control = (uint16_t)fetch(d, at + BTCTRL, 2);
    c->left = (uint16_t)fetch(d, at + BTCNT, 2);
    c->source = fetch(d, at + SRCADDR, 4);
    c->destination = fetch(d, at + DSTADDR, 4);
    c->on = (c->control & BTCTRL_VALID) && c->left;
}

static uint32_t word_at(const struct dmac *d, uint32_t offset)
{
    const struct dmac_channel *c = &d->channels[d->selected];
    switch (offset) {
    case CTRL:
        return d->control;
    case BASEADDR:
        return d->descriptors;
    case WRBADDR:
        return d->write_back;
    case CHID & ~3:
        return (uint32_t)d->selected << 24;
    case CHCTRLA:
        return c->on ? CHCTRLA_ENABLE : 0;
    case CHCTRLB:
        return c->settings;
    default:
        return 0;
    }
}

uint32_t dmac_read(const struct dmac *d, uint32_t offset, unsigned size)
{
    return register_part(word_at(d, offset & ~3u), offset, size);
}

void dmac_write(struct dmac *d, uint32_t offset, unsigned size, uint32_t value)
{
    uint32_t merged = register_merge(word_at(d, offset & ~3u), offset, size, value);
    struct dmac_channel *c = &d->channels[d->selected];
    switch (offset & ~3u) {
    case CTRL:
        d->control = merged;        /* QOSCTRL is a word of its own and changes nothing here */
        if (merged & CTRL_SWRST)
            dmac_reset(d);
        break;
    case BASEADDR:
        d->descriptors = merged;
        break;
    case WRBADDR:
        d->write_back = merged;
        break;
    case CHID & ~3:
        d->selected = (uint8_t)(merged >> 24) % DMAC_CHANNELS;
        break;
    case CHCTRLA:
        enable(d, c, merged);
        break;
    case CHCTRLB:
        c->settings = merged;
        break;
    default:
        break;
    }
    dmac_service(d);
}
