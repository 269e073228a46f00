/* SPDX-License-Identifier: GPL-3.0-or-later
 * ihex.c -- see board.h. Data, end and the two kinds of extended address records count; the start
 * addresses that linkers add mean nothing to an AVR. Ref: Intel, Hexadecimal Object File Format
 * Specification, revision A. */
#include "board.h"

#include <stdio.h>
#include <string.h>

enum { DATA = 0, END = 1, SEGMENT = 2, LINEAR = 4 };    /* record types */

typedef struct {
    uint8_t bytes[300];     /* length, address (2), type, data, checksum */
    size_t size;
} record;

typedef struct {
    uint8_t *bytes;
    size_t size;
    uint32_t base;          /* added to the 16-bit addresses */
    int64_t lowest;         /* address with data; -1: none yet */
} image;

/* Parses ":..."; false if damaged. */
static bool parse(const char *text, record *r)
{
    unsigned byte, sum = 0;
    r->size = 0;
    if (*text++ != ':')
        return false;
    for (; r->size < sizeof r->bytes && sscanf(text, "%2x", &byte) == 1; text += 2) {
        r->bytes[r->size++] = (uint8_t)byte;
        sum += byte;
    }
    return r->size >= 5 && r->size == 5u + r->bytes[0] && (sum & 0xFF) == 0;
}

static uint32_t big_endian(const uint8_t *bytes) { return (uint32_t)bytes[0] << 8 | bytes[1]; }

static bool place(const record *r, image *to)
{
    uint32_t at = to->base + big_endian(r->bytes + 1);
    size_t count = r->bytes[0];
    if (at > to->size || count > to->size - at)
        return false;
    memcpy(to->bytes + at, r->bytes + 4, count);
    if (count > 0 && (to->lowest < 0 || at < to->lowest))
        to->lowest = at;
    return true;
}

static bool rebase(const record *r, image *to, unsigned shift)
{
    if (r->bytes[0] != 2)
        return false;
    to->base = big_endian(r->bytes + 4) << shift;
    return true;
}

static bool apply(const record *r, image *to)
{
    switch (r->bytes[3]) {
    case DATA: return place(r, to);
    case SEGMENT: return rebase(r, to, 4);
    case LINEAR: return rebase(r, to, 16);
    default: return true;
    }
}

static bool read_records(FILE *file, image *to)
{
    char text[700];
    record r;
    while (fgets(text, sizeof text, file)) {
        if (!parse(text, &r))
            return false;
        if (r.bytes[3] == END)
            return to->lowest >= 0;
        if (!apply(&r, to))
            return false;
    }
    return false;
}

int64_t ihex_load(const char *path, uint8_t *bytes, size_t size)
{
    image to = {.bytes = bytes, .size = size, .lowest = -1};
    memset(bytes, 0xFF, size);
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return -1;
    }
    bool good = read_records(file, &to);
    fclose(file);
    if (!good)
        fprintf(stderr, "%s: not Intel HEX with data in 0x0000..0x%04X only\n", path,
                (unsigned)(size - 1));
    return good ? to.lowest : -1;
}
