/* SPDX-License-Identifier: MIT
 *
 * port.c -- see port.h. */
#include "port.h"

#include "register.h"

enum {
    DIR = 0x00, DIRCLR = 0x04, DIRSET = 0x08, DIRTGL = 0x0C, OUT = 0x10, OUTCLR = 0x14,
    OUTSET = 0x18, OUTTGL = 0x1C, IN = 0x20, CTRL = 0x24, PINS = 0x30, GROUP_SIZE = 0x80
};

void port_init(struct port *port, struct cpu *cpu, struct marks *marks)
{
    *port = (struct port){.cpu = cpu, .marks = marks};
}

void port_reset(struct port *port)
{
    port_init(port, port->cpu, port->marks);
}

static void set_out(struct port *port, unsigned group, uint32_t value)
{
    uint32_t changed = port->out[group] ^ value;
    port->out[group] = value;
    if (group == 0 && (changed >> PORT_MARK_PIN & 1))
        marks_note(port->marks, port->cpu, value >> PORT_MARK_PIN & 1);
}

static uint32_t word_at(const struct port *port, unsigned group, uint32_t reg)
{
    switch (reg) {
    case DIR:
    case DIRCLR:
    case DIRSET:
    case DIRTGL:
        return port->dir[group];
    case OUT:
    case OUTCLR:
    case OUTSET:
    case OUTTGL:
        return port->out[group];
    case IN:
        return port->out[group] & port->dir[group];     /* nothing is wired to the inputs */
    case CTRL:
        return port->ctrl[group];
    default:
        return 0;
    }
}

uint32_t port_read(const struct port *port, uint32_t offset, unsigned size)
{
    unsigned group = offset / GROUP_SIZE;
    uint32_t reg = offset % GROUP_SIZE, value = 0;
    if (group >= PORT_GROUPS)
        return 0;
    if (reg < PINS)
        return register_part(word_at(port, group, reg & ~3u), reg, size);
    for (unsigned i = 0; i < size && reg - PINS + i < sizeof port->pins[0]; i++)
        value |= (uint32_t)port->pins[group][reg - PINS + i] << (8 * i);
    return value;
}

static void write_pins(struct port *port, unsigned group, uint32_t at, unsigned size,
                       uint32_t value)
{
    for (unsigned i = 0; i < size && at + i < sizeof port->pins[0]; i++)
        port->pins[group][at + i] = (uint8_t)(value >> (8 * i));
}

void port_write(struct port *port, uint32_t offset, unsigned size, uint32_t value)
{
    unsigned group = offset / GROUP_SIZE;
    uint32_t reg = offset % GROUP_SIZE;
    if (group >= PORT_GROUPS)
        return;
    if (reg >= PINS) {
        write_pins(port, group, reg - PINS, size, value);
        return;
    }
    uint32_t bits = register_merge(0, reg, size, value);
    uint32_t merged = register_merge(word_at(port, group, reg & ~3u), reg, size, value);
    uint32_t *dir = &port->dir[group], out = port->out[group];
    switch (reg & ~3u) {
    case DIR:
        *dir = merged;
        break;
    case DIRCLR:
        *dir &= ~bits;
        break;
    case DIRSET:
        *dir |= bits;
        break;
    case DIRTGL:
        *dir ^= bits;
        break;
    case OUT:
        set_out(port, group, merged);
        break;
    case OUTCLR:
        set_out(port, group, out & ~bits);
        break;
    case OUTSET:
        set_out(port, group, out | bits);
        break;
    case OUTTGL:
        set_out(port, group, out ^ bits);
        break;
    case CTRL:
        port->ctrl[group] = merged;
        break;
    default:
        break;
    }
}
