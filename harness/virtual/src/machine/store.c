/* SPDX-License-Identifier: MIT
 *
 * store.c -- see store.h. */
#include "store.h"

#include <string.h>

#include "register.h"

void store_reset(struct store *store, const struct store_map *map)
{
    store->map = map;
    memset(store->bytes, 0, sizeof store->bytes);
}

/* Where `address` is kept, or -1. */
static int place(const struct store *store, uint32_t address)
{
    uint32_t before = 0;
    for (const struct store_range *r = store->map->ranges; r->size; r++) {
        if (address - r->base < r->size && before + r->size <= STORE_BYTES)
            return (int)(before + (address - r->base));
        before += r->size;
    }
    return -1;
}

static uint32_t as_read(const struct store *store, uint32_t address, uint32_t word)
{
    for (const struct store_word *w = store->map->words; w->address; w++)
        if (w->address == address)
            return (word & w->keep) | w->set;
    return word;
}

bool store_read(const struct store *store, uint32_t address, unsigned size, uint32_t *value)
{
    int at = place(store, address & ~3u);
    uint32_t word;
    if (at < 0)
        return false;
    memcpy(&word, &store->bytes[at], 4);
    *value = register_part(as_read(store, address & ~3u, word), address, size);
    return true;
}

bool store_write(struct store *store, uint32_t address, unsigned size, uint32_t value)
{
    int at = place(store, address);
    if (at < 0)
        return false;
    memcpy(&store->bytes[at], &value, size);
    return true;
}
