/* SPDX-License-Identifier: MIT
 *
 * frame.h -- the frames of docs/link.md: 0x00 COBS(body) 0x00,
 * body = type u8 | seq u8 | length u16 | payload[length] | crc u32, little endian.
 *
 * Pure: no I/O and no static state; the caller owns the buffers. Twin: harness/link/, on the same
 * golden frames (tests/golden/frames.json). */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "cobs.h"

#define FRAME_HEADER 4u
#define FRAME_TRAILER 4u
#define FRAME_OVERHEAD (FRAME_HEADER + FRAME_TRAILER)

/* ---- sending ---- */

/* Complete a body whose payload lies at body + FRAME_HEADER: header in front, crc behind it. The
 * buffer holds length + FRAME_OVERHEAD bytes; returns that number. */
uint16_t frame_seal(uint8_t *body, uint8_t type, uint8_t seq, uint16_t length);

/* Send a sealed body of `size` bytes: a 0, the COBS blocks, a 0. */
void frame_send(const uint8_t *body, uint16_t size, cobs_sink sink);

/* ---- receiving ---- */

enum frame_event {
    FRAME_NONE,         /* not at the end of a frame */
    FRAME_GOOD,         /* a frame; read it with the functions below before the next byte */
    FRAME_BAD,          /* COBS, size or length wrong: dropped */
    FRAME_BAD_CRC,      /* well formed, but its crc is wrong: dropped */
    FRAME_EMPTY,        /* nothing between two zeros */
    FRAME_TOO_LONG      /* a byte beyond the largest frame: not stored */
};

struct frame_decoder {
    uint8_t *body;      /* the caller's buffer */
    uint16_t capacity;  /* its bytes: largest payload + FRAME_OVERHEAD */
    uint16_t size;      /* bytes decoded since the last 0; above capacity: too long, not stored */
    struct cobs_decoder cobs;
};

void frame_decoder_init(struct frame_decoder *decoder, uint8_t *body, uint16_t capacity);

/* Feed one byte of the wire. Any bytes in any order are safe; after a 0 the decoder is in step. */
enum frame_event frame_decoder_push(struct frame_decoder *decoder, uint8_t byte);

/* Feed bytes up to the first event or to the end; `*count`: how many there are, then how many were
 * taken. Does what pushing them does, in less time. */
enum frame_event frame_decoder_take(struct frame_decoder *decoder, const uint8_t *bytes,
                                    uint16_t *count);

/* Fields of a good frame. */
static inline uint8_t frame_type(const uint8_t *body)
{
    return body[0];
}

static inline uint8_t frame_seq(const uint8_t *body)
{
    return body[1];
}

static inline uint16_t frame_length(const uint8_t *body)
{
    return (uint16_t)(body[2] | (uint16_t)body[3] << 8);
}

#endif
