/* SPDX-License-Identifier: MIT
 *
 * requests.h -- what the board can be asked; the payloads of docs/link.md. Each function reads the
 * request's payload, writes the reply's, and returns its size, or minus a nak_code. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include <stdint.h>

/* Counted by the loop, reported by STATS. */
struct link_counters {
    uint32_t frames;
    uint32_t bad_crc;
    uint32_t bad_frame;
    uint32_t repeats;
};

int16_t request_hello(uint8_t *reply);
int16_t request_step(const uint8_t *payload, uint16_t length, uint8_t *reply);
int16_t request_stats(const struct link_counters *counters, uint8_t *reply);
/* The rate is the caller's to set, once the reply has been sent. */
int16_t request_baud(const uint8_t *payload, uint16_t length, uint8_t *reply);
int16_t request_bench(const uint8_t *payload, uint16_t length, uint8_t *reply);

#endif
