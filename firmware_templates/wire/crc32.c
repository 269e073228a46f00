/* SPDX-License-Identifier: MIT */
#include "crc32.h"

#include "rnn_flash.h"

#ifdef __AVR__

/* A bit at a time, about 60 cycles a byte: shifting by four takes an AVR longer than four shifts. Written
 * out, because the compiler reckons with an assembler text's lines. */
#define BIT \
    "lsr %D0\n\tror %C0\n\tror %B0\n\tror %A0\n\tbrcc 1f\n\t" \
    "eor %A0, %A1\n\teor %B0, %B1\n\teor %C0, %C1\n\teor %D0, %D1\n1:\n\t"

uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, uint16_t size)
{
    for (; size; size--) {
        crc ^= *bytes++;
        __asm__(BIT BIT BIT BIT BIT BIT BIT BIT : "+r"(crc) : "r"(0xedb88320UL));
    }
    return crc;
}

#else

/* Entry i: i shifted through the polynomial four times. */
static const uint32_t nibbles[16] RNN_FLASH = {
    0x00000000UL, 0x1db71064UL, 0x3b6e20c8UL, 0x26d930acUL,
    0x76dc4190UL, 0x6b6b51f4UL, 0x4db26158UL, 0x5005713cUL,
    0xedb88320UL, 0xf00f9344UL, 0xd6d6a3e8UL, 0xcb61b38cUL,
    0x9b64c2b0UL, 0x86d3d2d4UL, 0xa00ae278UL, 0xbdbdf21cUL,
};

uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, uint16_t size)
{
    for (; size; size--) {
        crc ^= *bytes++;
        crc = (crc >> 4) ^ RNN_LOAD_U32(nibbles + (crc & 15u));
        crc = (crc >> 4) ^ RNN_LOAD_U32(nibbles + (crc & 15u));
    }
    return crc;
}

#endif
