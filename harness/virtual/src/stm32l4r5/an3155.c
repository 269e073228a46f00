/* SPDX-License-Identifier: MIT
 *
 * an3155.c -- see an3155.h. */
#include "an3155.h"

#define OPEN 0x7F
#define ACK 0x79
#define NACK 0x1F
#define VERSION 0x31                /* of the protocol, 3.1 */
#define ALL 0xFFFFu                 /* instead of a number of pages: mass erase */
#define SPECIAL 0xFFF0u             /* and above: this, and banks */

enum { GET = 0x00, GET_VERSION = 0x01, GET_ID = 0x02, READ = 0x11, GO = 0x21, WRITE = 0x31,
       ERASE = 0x44 };
static const uint8_t COMMANDS[] = {GET, GET_VERSION, GET_ID, READ, GO, WRITE, ERASE};

/* Stages. A command and an address are two and five bytes; lengths say how much follows. */
enum { STAGE_COMMAND, STAGE_ADDRESS, STAGE_LENGTH, STAGE_DATA };

void an3155_reset(struct an3155 *a, const struct an3155_target *target)
{
    a->target = target;
    a->open = false;
    a->stage = STAGE_COMMAND;
    a->count = 0;
    a->wanted = 2;
}

static void reply(struct an3155 *a, uint8_t byte)
{
    a->target->reply(a->target->context, byte);
}

static void expect(struct an3155 *a, unsigned stage, unsigned wanted)
{
    a->stage = stage;
    a->count = 0;
    a->wanted = wanted;
}

static void finish(struct an3155 *a, bool good)
{
    reply(a, good ? ACK : NACK);
    expect(a, STAGE_COMMAND, 2);
}

/* The XOR of `count` bytes, which is zero over a message with its check. */
static uint8_t parity(const uint8_t *bytes, unsigned count)
{
    uint8_t x = 0;
    for (unsigned i = 0; i < count; i++)
        x ^= bytes[i];
    return x;
}

/* ---- commands without arguments ---- */

static void get(struct an3155 *a)
{
    reply(a, ACK);
    reply(a, sizeof COMMANDS);      /* bytes that follow, less one: the version is not counted */
    reply(a, VERSION);
    for (unsigned i = 0; i < sizeof COMMANDS; i++)
        reply(a, COMMANDS[i]);
    finish(a, true);
}

static void get_version(struct an3155 *a)
{
    reply(a, ACK);
    reply(a, VERSION);
    reply(a, 0);
    reply(a, 0);
    finish(a, true);
}

static void get_id(struct an3155 *a)
{
    reply(a, ACK);
    reply(a, 1);
    reply(a, (uint8_t)(a->target->id >> 8));
    reply(a, (uint8_t)a->target->id);
    finish(a, true);
}

/* ---- the others, step by step ---- */

static void take_command(struct an3155 *a)
{
    a->command = a->bytes[0];
    if ((a->bytes[0] ^ a->bytes[1]) != 0xFF) {
        finish(a, false);
        return;
    }
    switch (a->command) {
    case GET:
        get(a);
        break;
    case GET_VERSION:
        get_version(a);
        break;
    case GET_ID:
        get_id(a);
        break;
    case READ:
    case GO:
    case WRITE:
        reply(a, ACK);
        expect(a, STAGE_ADDRESS, 5);
        break;
    case ERASE:
        reply(a, ACK);
        expect(a, STAGE_LENGTH, 2);
        break;
    default:
        finish(a, false);
        break;
    }
}

static void take_address(struct an3155 *a)
{
    const uint8_t *b = a->bytes;
    a->address = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    uint8_t byte;
    if (parity(b, 5) || !a->target->read(a->target->context, a->address, &byte)) {
        finish(a, false);
        return;
    }
    if (a->command == GO) {
        finish(a, a->target->go(a->target->context, a->address));
        return;
    }
    reply(a, ACK);
    expect(a, STAGE_LENGTH, a->command == READ ? 2 : 1);
}

static void read_memory(struct an3155 *a)
{
    if ((a->bytes[0] ^ a->bytes[1]) != 0xFF) {
        finish(a, false);
        return;
    }
    reply(a, ACK);
    for (unsigned i = 0; i <= a->bytes[0]; i++) {
        uint8_t byte = 0;
        a->target->read(a->target->context, a->address + i, &byte);
        reply(a, byte);
    }
    expect(a, STAGE_COMMAND, 2);
}

static unsigned pages(const struct an3155 *a)
{
    return (unsigned)a->bytes[0] << 8 | a->bytes[1];
}

/* The length stays in front of what follows: the check covers both. */
static void take_length(struct an3155 *a)
{
    if (a->command == READ) {
        read_memory(a);
        return;
    }
    a->stage = STAGE_DATA;
    if (a->command == WRITE)
        a->wanted = 1u + (a->bytes[0] + 1u) + 1u;
    else
        a->wanted = pages(a) >= SPECIAL ? 3 : 2 + 2 * (pages(a) + 1) + 1;
    if (a->wanted > AN3155_LONGEST)
        finish(a, false);
}

static bool erase(struct an3155 *a)
{
    if (pages(a) >= SPECIAL && pages(a) != ALL)
        return false;
    if (pages(a) == ALL) {
        a->target->erase_all(a->target->context);
        return true;
    }
    bool good = true;
    for (unsigned i = 0; i <= pages(a); i++) {
        const uint8_t *number = a->bytes + 2 + 2 * i;
        uint32_t page = (uint32_t)number[0] << 8 | number[1];
        good = a->target->erase_page(a->target->context, page) && good;
    }
    return good;
}

static void take_data(struct an3155 *a)
{
    bool good = parity(a->bytes, a->count) == 0;
    if (good && a->command == WRITE)
        good = a->target->write(a->target->context, a->address, a->bytes + 1, a->bytes[0] + 1u);
    else if (good)
        good = erase(a);
    finish(a, good);
}

void an3155_feed(struct an3155 *a, uint8_t byte)
{
    static void (*const take[])(struct an3155 *) = {take_command, take_address, take_length,
                                                    take_data};
    if (!a->open) {
        a->open = byte == OPEN;
        if (a->open)
            reply(a, ACK);
        return;
    }
    a->bytes[a->count++] = byte;
    if (a->count == a->wanted)
        take[a->stage](a);
}
