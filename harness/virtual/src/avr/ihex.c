/* SPDX-License-Identifier: GPL-3.0-or-later
 * ihex.c -- see uno.h. Record types 0 (data) and 1 (end) count; addresses have 16 bits here, and
 * the start address records that linkers add mean nothing to an AVR. */
#include "uno.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    uint8_t bytes[300];     /* length, address (2), type, data, checksum */
    size_t size;
} record;

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

static bool place(const record *r, uint8_t *image, uint32_t start, size_t size)
{
    uint32_t at = (uint32_t)r->bytes[1] << 8 | r->bytes[2];
    size_t count = r->bytes[0];
    if (at < start || at - start > size || count > size - (at - start))
        return false;
    memcpy(image + (at - start), r->bytes + 4, count);
    return true;
}

static bool read_records(FILE *file, uint8_t *image, uint32_t start, size_t size)
{
    char text[700];
    record r;
    while (fgets(text, sizeof text, file)) {
        if (!parse(text, &r))
            return false;
        if (r.bytes[3] == 1)
            return true;
        if (r.bytes[3] == 0 && !place(&r, image, start, size))
            return false;
    }
    return false;
}

int ihex_load(const char *path, uint8_t *image, uint32_t start, size_t size)
{
    memset(image, 0xFF, size);
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return -1;
    }
    bool good = read_records(file, image, start, size);
    fclose(file);
    if (!good)
        fprintf(stderr, "%s: not Intel HEX with data in 0x%04X..0x%04X only\n", path,
                (unsigned)start, (unsigned)(start + size - 1));
    return good ? 0 : -1;
}
