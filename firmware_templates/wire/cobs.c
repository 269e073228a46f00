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
