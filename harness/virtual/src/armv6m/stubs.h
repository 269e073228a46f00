/* SPDX-License-Identifier: MIT
 *
 * stubs.h -- the peripherals of the SAM D21 that firmware sets up but this board does not model.
 *
 * Their registers remember what was written. Where start-up code waits for a bit (clock ready,
 * synchronisation done, software reset done) the bit reads as already there. They never interrupt. */
#ifndef STUBS_H
#define STUBS_H

#include <stdbool.h>
#include <stdint.h>

enum { STUBS_BRIDGES = 3, STUBS_BRIDGE_BYTES = 0x8000 };

/* Reset causes, PM.RCAUSE. */
enum { RCAUSE_POWER_ON = 0x01, RCAUSE_EXTERNAL = 0x10, RCAUSE_SYSTEM = 0x40 };

struct stubs {
    uint8_t store[STUBS_BRIDGES][STUBS_BRIDGE_BYTES];
    uint8_t reset_cause;
};

void stubs_reset(struct stubs *stubs, uint8_t reset_cause);

/* False where the chip has no peripheral. */
bool stubs_read(const struct stubs *stubs, uint32_t address, unsigned size, uint32_t *value);
bool stubs_write(struct stubs *stubs, uint32_t address, unsigned size, uint32_t value);

#endif
