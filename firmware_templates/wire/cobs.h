/* SPDX-License-Identifier: MIT
 *
 * cobs.h -- consistent overhead byte stuffing: any bytes without the byte 0.
 * Ref: Cheshire and Baker, IEEE/ACM Trans. Networking 7(2), 1999.
 *
 * A block is a code byte n = 1 .. 255 and n - 1 bytes that are not 0; n < 255 stands for a 0 after
 * the block, except after the last one. Pure: no I/O, no static state. */
#ifndef COBS_H
#define COBS_H

#include <stdbool.h>
#include <stdint.h>

/* Takes `size` encoded bytes, in order. */
typedef void (*cobs_sink)(const uint8_t *bytes, uint16_t size);

/* Encode `size` bytes into the sink, block by block, straight out of `bytes`. The zeros around a
 * frame are the caller's. No output byte is 0; there are at most size + size / 254 + 1. */
void cobs_encode(const uint8_t *bytes, uint16_t size, cobs_sink sink);

/* Decoder of one stretch between zeros, byte by byte. */
struct cobs_decoder {
    uint8_t code;       /* of the block being read; 0 before the first */
    uint8_t left;       /* bytes of it still to come */
};

enum cobs_result {
    COBS_NONE,          /* no decoded byte */
    COBS_BYTE           /* *out is a decoded byte */
};

/* Feed one encoded byte (not 0). A decoded byte is either data or the 0 between two blocks. Inline:
 * this is most of what a byte costs a small board. */
static inline enum cobs_result cobs_decode(struct cobs_decoder *decoder, uint8_t in, uint8_t *out)
{
    if (decoder->left) {
        decoder->left--;
        *out = in;
        return COBS_BYTE;
    }
    bool zero = decoder->code != 0 && decoder->code != 255u;
    decoder->code = in;
    decoder->left = (uint8_t)(in - 1u);
    *out = 0;
    return zero ? COBS_BYTE : COBS_NONE;
}

/* At the closing 0: was the last block whole? */
static inline bool cobs_is_complete(const struct cobs_decoder *decoder)
{
    return decoder->left == 0;
}

#endif
