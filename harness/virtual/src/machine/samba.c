/* SPDX-License-Identifier: MIT
 *
 * samba.c -- see samba.h. */
#include "samba.h"

#include <stdio.h>
#include <string.h>

void samba_reset(struct samba *samba, const struct samba_target *target)
{
    *samba = (struct samba){.target = target};
}

/* ---- answers ---- */

static void reply(struct samba *s, const char *text)
{
    for (; *text; text++)
        s->target->reply(s->target->context, (uint8_t)*text);
}

static void prompt(struct samba *s)
{
    if (s->terminal)
        reply(s, ">");
}

static void reply_value(struct samba *s, uint32_t value, unsigned size)
{
    char text[16];
    if (s->terminal) {
        snprintf(text, sizeof text, "0x%0*X\n\r", (int)(2 * size), (unsigned)value);
        reply(s, text);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        s->target->reply(s->target->context, (uint8_t)(value >> (8 * i)));
}

static uint32_t read_target(struct samba *s, uint32_t address, unsigned size)
{
    return s->target->read(s->target->context, address, size);
}

/* ---- commands ---- */

static uint8_t read_byte(void *context, uint32_t address)
{
    return (uint8_t)read_target(context, address, 1);
}

static void write_byte(void *context, uint32_t address, uint8_t byte)
{
    struct samba *s = context;
    s->target->write(s->target->context, address, 1, byte);
}

static void reply_byte(void *context, uint8_t byte)
{
    struct samba *s = context;
    s->target->reply(s->target->context, byte);
}

static struct xmodem_port xmodem_port(struct samba *s)
{
    return (struct xmodem_port){read_byte, write_byte, reply_byte, s};
}

static void read_block(struct samba *s, uint32_t address, uint32_t size)
{
    if (size > s->target->longest_reply)
        size = s->target->longest_reply;
    if (s->target->over_uart) {
        xmodem_send(&s->xmodem, address, size);
        return;
    }
    for (uint32_t i = 0; i < size; i++)
        reply_byte(s, read_byte(s, address + i));
}

static void write_block(struct samba *s, uint32_t address, uint32_t size)
{
    const struct xmodem_port port = xmodem_port(s);
    if (s->target->over_uart) {
        xmodem_receive(&s->xmodem, &port, address, size);
        return;
    }
    s->receive_at = address;
    s->receiving = size;
}

static void reply_crc(struct samba *s, uint32_t address, uint32_t size)
{
    char text[16];
    uint16_t crc = 0;
    for (uint32_t i = 0; i < size && i < s->target->longest_reply; i++)
        crc = xmodem_crc(crc, read_byte(s, address + i));
    snprintf(text, sizeof text, "Z%08X#\n\r", (unsigned)crc);
    reply(s, text);
}

static void copy_buffer(struct samba *s, uint32_t address, uint32_t size)
{
    if (size)
        s->target->program(s->target->context, address, s->copy_source, size);
    else
        s->copy_source = address;
    reply(s, "Y\n\r");
}

static void set_mode(struct samba *s, bool terminal)
{
    s->terminal = terminal;
    reply(s, "\n\r");
}

static void execute_extension(struct samba *s)
{
    uint32_t a = s->argument[0], b = s->argument[1];
    if (s->command == 'X') {
        s->target->erase_from(s->target->context, a);
        reply(s, "X\n\r");
    } else if (s->command == 'Y') {
        copy_buffer(s, a, b);
    } else if (s->command == 'Z') {
        reply_crc(s, a, b);
    }
}

static void execute(struct samba *s)
{
    const struct samba_target *t = s->target;
    uint32_t a = s->argument[0], b = s->argument[1];
    switch (s->command) {
    case 'N':
    case 'T':
        set_mode(s, s->command == 'T');
        break;
    case 'V':
        reply(s, s->target->version);
        reply(s, "\n\r");
        break;
    case 'o':
        reply_value(s, read_target(s, a, 1), 1);
        break;
    case 'h':
        reply_value(s, read_target(s, a, 2), 2);
        break;
    case 'w':
        reply_value(s, read_target(s, a, 4), 4);
        break;
    case 'O':
        t->write(t->context, a, 1, b);
        break;
    case 'H':
        t->write(t->context, a, 2, b);
        break;
    case 'W':
        t->write(t->context, a, 4, b);
        break;
    case 'R':
        read_block(s, a, b);
        break;
    case 'S':
        write_block(s, a, b);
        break;
    case 'G':
        t->run(t->context, a);
        break;
    default:
        if (t->erase_from)
            execute_extension(s);
        break;
    }
    prompt(s);
}

/* ---- the parser ---- */

static int hex_digit(uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = byte ? strchr(digits, byte | (byte >= 'A' ? 0x20 : 0)) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void start_command(struct samba *s, uint8_t byte)
{
    s->command = (char)byte;
    s->argument[0] = s->argument[1] = 0;
    s->arguments = 0;
}

void samba_feed(struct samba *s, uint8_t byte)
{
    if (s->xmodem.mode != XMODEM_IDLE) {
        const struct xmodem_port port = xmodem_port(s);
        xmodem_feed(&s->xmodem, &port, byte);
        return;
    }
    if (s->receiving) {
        write_byte(s, s->receive_at++, byte);
        s->receiving--;
        return;
    }
    int digit = hex_digit(byte);
    if (byte == '#') {
        execute(s);
        s->command = 0;
    } else if (!s->command) {
        if (byte > ' ')
            start_command(s, byte);
    } else if (byte == ',') {
        s->arguments = 1;
    } else if (digit >= 0) {
        s->argument[s->arguments] = s->argument[s->arguments] << 4 | (uint32_t)digit;
    } else if (byte > ' ') {
        start_command(s, byte);
    }
}
