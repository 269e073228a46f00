/* SPDX-License-Identifier: MIT
 *
 * dmac.h -- the DMA controller of a SAM D21, as far as it serves SERCOMs: a beat for each character
 * received, or wanted.
 *
 * Ref: DS40001882, chapter "DMAC - Direct Memory Access Controller". A beat takes no time and nothing of
 * the core's. Not modelled: software and event triggers, priorities, blocks and transactions as units of
 * a trigger, linked descriptors, suspension, interrupts, the CRC engine. */
#ifndef DMAC_H
#define DMAC_H

#include "sercom.h"

enum { DMAC_CHANNELS = 12 };

struct dmac_channel {
    bool on;
    uint32_t settings;              /* CHCTRLB */
    uint16_t control, left;         /* of the descriptor being worked off: BTCTRL, BTCNT */
    uint32_t source, destination;   /* the ends, as the descriptor has them */
};

struct dmac {
    struct cpu *cpu;
    const struct sercom *sercoms;
    unsigned n_sercoms;
    uint32_t control;               /* CTRL */
    uint32_t descriptors, write_back;
    uint8_t selected;               /* CHID */
    struct dmac_channel channels[DMAC_CHANNELS];
};

void dmac_init(struct dmac *d, struct cpu *cpu, const struct sercom *sercoms, unsigned n_sercoms);
void dmac_reset(struct dmac *d);
uint32_t dmac_read(const struct dmac *d, uint32_t offset, unsigned size);
void dmac_write(struct dmac *d, uint32_t offset, unsigned size, uint32_t value);

/* The beats that SERCOMs ask for now. */
void dmac_service(struct dmac *d);

#endif
