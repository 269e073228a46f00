/* SPDX-License-Identifier: MIT
 *
 * store.h -- peripherals that firmware sets up but a board does not model.
 *
 * Their registers remember what was written. Where start-up code waits for a bit (clock ready, PLL
 * locked) the bit reads as already there. They never interrupt. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

enum { STORE_BYTES = 0x4000 };

struct store_range {
    uint32_t base, size;
};

/* A word that does not read as written: (written & keep) | set. */
struct store_word {
    uint32_t address, keep, set;
};

/* What there is; each list ends with a size, respectively address, of 0. */
struct store_map {
    const struct store_range *ranges;   /* together at most STORE_BYTES */
    const struct store_word *words;
};

struct store {
    const struct store_map *map;
    uint8_t bytes[STORE_BYTES];
};

void store_reset(struct store *store, const struct store_map *map);

/* False where the chip has nothing. */
bool store_read(const struct store *store, uint32_t address, unsigned size, uint32_t *value);
bool store_write(struct store *store, uint32_t address, unsigned size, uint32_t value);

#endif
