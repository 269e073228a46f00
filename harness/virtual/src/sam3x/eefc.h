/* SPDX-License-Identifier: MIT
 *
 * eefc.h -- the flash of a SAM3X8E: two planes of 256 KB, each with its Enhanced Embedded Flash
 * Controller, and the GPNVM bits.
 *
 * Ref: Atmel 11057C, chapter "Enhanced Embedded Flash Controller (EEFC)".
 *
 * A store to the flash fills the plane's latch buffer; a command writes it to a page. Commands take no
 * time. Programming only clears bits. A locked region refuses: FLOCKE. */
#ifndef EEFC_H
#define EEFC_H

#include <stdbool.h>
#include <stdint.h>

enum {
    EEFC_PLANES = 2,
    EEFC_PLANE_BYTES = 0x40000,
    EEFC_PAGE_BYTES = 256,
    EEFC_PAGES = EEFC_PLANE_BYTES / EEFC_PAGE_BYTES,
    EEFC_REGIONS = 16           /* lock regions of a plane, 16 KB each */
};

#define GPNVM_BOOT_FLASH 2u     /* bit 1: start from flash, not from ROM */

struct eefc {
    uint8_t *flash;             /* EEFC_PLANE_BYTES */
    uint32_t *gpnvm;            /* of the chip; NULL: this controller has none */
    uint32_t mode, result;
    uint32_t errors;            /* FCMDE, FLOCKE; cleared when FSR is read */
    uint32_t locked;            /* one bit for each region; survives resets */
    uint8_t latch[EEFC_PAGE_BYTES];
    void (*changed)(void *context);
    void *context;
};

void eefc_reset(struct eefc *e);
void eefc_erase(struct eefc *e);        /* all of the plane, and its locks: the ERASE pin */
uint32_t eefc_read(struct eefc *e, uint32_t offset);
void eefc_write(struct eefc *e, uint32_t offset, uint32_t value);

/* A store to the plane; false for what is not a word. */
bool eefc_latch(struct eefc *e, uint32_t offset, unsigned size, uint32_t value);

#endif
