/* SPDX-License-Identifier: MIT
 *
 * probe.c -- see probe.h. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of `path`, at most `room`; the caller frees. NULL: not to be read, empty or too long. */
static uint8_t *read_file(const char *path, size_t room, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = file ? malloc(room + 1) : NULL;
    *size = bytes ? fread(bytes, 1, room + 1, file) : 0;
    if (file)
        fclose(file);
    if (*size == 0 || *size > room) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

bool probe_load(struct image flash, const char *arguments)
{
    char *path;
    unsigned long offset = strtoul(arguments, &path, 0) - flash.base;
    if (path == arguments || *path != ' ' || offset >= flash.size)
        return false;
    size_t size;
    uint8_t *bytes = read_file(path + 1, flash.size - offset, &size);
    if (!bytes)
        return false;
    memset(flash.bytes + offset, 0xFF, flash.size - offset);
    memcpy(flash.bytes + offset, bytes, size);
    free(bytes);
    return true;
}
