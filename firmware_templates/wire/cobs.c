/* SPDX-License-Identifier: MIT */
#include "cobs.h"

#define LONGEST 254u        /* data bytes of a block that stands for no 0 */

void cobs_encode(const uint8_t *bytes, uint16_t size, cobs_sink sink)
{
    const uint8_t *end = bytes + size;
    bool more = true;       /* a block must follow: at the start, and after each 0 */
    while (more) {
        const uint8_t *block = bytes;
        while (bytes < end && *bytes && (uint16_t)(bytes - block) < LONGEST)
            bytes++;
        uint8_t length = (uint8_t)(bytes - block);
        uint8_t code = (uint8_t)(length + 1u);
        sink(&code, 1);
        if (length)
            sink(block, length);
        more = bytes < end;
        if (more && length < LONGEST)
            bytes++;        /* the 0 that the code stands for; a block follows even at the end */
    }
}

enum cobs_result cobs_decode(struct cobs_decoder *decoder, uint8_t in, uint8_t *out)
{
    if (decoder->left) {
        decoder->left--;
        *out = in;
        return COBS_BYTE;
    }
    bool zero = decoder->code != 0 && decoder->code != 255u;
    decoder->code = in;
    decoder->left = (uint8_t)(in - 1u);
    if (!zero)
        return COBS_NONE;
    *out = 0;
    return COBS_BYTE;
}
