/* SPDX-License-Identifier: MIT
 *
 * samba.c -- see samba.h. */
#include "samba.h"

#include <stdio.h>
#include <string.h>

#define VERSION "v2.0 [Arduino:XYZ] virtual SAMD21"
#define LONGEST_REPLY 0x40000u      /* all of the flash: `R` and `Z` of more are refused */

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

static void read_block(struct samba *s, uint32_t address, uint32_t size)
{
    for (uint32_t i = 0; i < size && i < LONGEST_REPLY; i++)
        s->target->reply(s->target->context, (uint8_t)read_target(s, address + i, 1));
}

uint16_t samba_crc(uint16_t crc, uint8_t byte)
{
    crc = (uint16_t)(crc ^ byte << 8);
    for (unsigned i = 0; i < 8; i++)
        crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    return crc;
}

static void reply_crc(struct samba *s, uint32_t address, uint32_t size)
{
    char text[16];
    uint16_t crc = 0;
    for (uint32_t i = 0; i < size && i < LONGEST_REPLY; i++)
        crc = samba_crc(crc, (uint8_t)read_target(s, address + i, 1));
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
        reply(s, VERSION "\n\r");
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
        s->receive_at = a;
        s->receiving = b;
        break;
    case 'G':
        t->run(t->context, a);
        break;
    case 'X':
        t->erase_from(t->context, a);
        reply(s, "X\n\r");
        break;
    case 'Y':
        copy_buffer(s, a, b);
        break;
    case 'Z':
        reply_crc(s, a, b);
        break;
    default:
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
    if (s->receiving) {
        s->target->write(s->target->context, s->receive_at++, 1, byte);
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
