/* SPDX-License-Identifier: MIT
 *
 * crc32.h -- CRC-32 of IEEE 802.3, as zlib.crc32: reflected polynomial 0xEDB88320, start and final
 * complement. By a table of 16 words, two steps a byte; on an AVR without one.
 *
 * crc32_update(CRC32_START, bytes, size) may be continued; crc32_finish gives the value sent. */
#ifndef CRC32_H
#define CRC32_H

#include <stdint.h>

#define CRC32_START 0xffffffffUL

uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, uint16_t size);

static inline uint32_t crc32_finish(uint32_t crc)
{
    return crc ^ 0xffffffffUL;
}

#endif
