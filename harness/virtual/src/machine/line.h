/* SPDX-License-Identifier: MIT
 *
 * line.h -- the far end of a board's serial line, and what went over it. */
#ifndef LINE_H
#define LINE_H

#include <stdint.h>

/* Both may be NULL. `receive` returns the next byte or -1. */
struct line {
    int (*receive)(void *context);
    void (*transmit)(void *context, uint8_t byte);
    void *context;
};

/* Since the process began. */
struct line_counts {
    uint64_t rx_bytes, tx_bytes, rx_overruns;
};

#endif
