/* SPDX-License-Identifier: MIT
 *
 * xmodem.h -- XMODEM-CRC with blocks of 128 bytes, by which SAM-BA moves memory over a UART. The
 * other side, bossac, starts: it sends blocks after our `C`, or asks for them by its own.
 * Ref: C. Forsberg, XMODEM/YMODEM Protocol Reference, 1988, sections 7 and 8. */
#ifndef XMODEM_H
#define XMODEM_H

#include <stdbool.h>
#include <stdint.h>

enum { XMODEM_DATA = 128, XMODEM_BLOCK = 3 + XMODEM_DATA + 2 };

/* Where the bytes are, and the line. */
struct xmodem_port {
    uint8_t (*read)(void *context, uint32_t address);
    void (*write)(void *context, uint32_t address, uint8_t byte);
    void (*reply)(void *context, uint8_t byte);
    void *context;
};

enum xmodem_mode { XMODEM_IDLE, XMODEM_RECEIVES, XMODEM_SENDS };

struct xmodem {
    enum xmodem_mode mode;
    uint32_t address, left;         /* of the next byte; bytes still to move */
    uint8_t number;                 /* of the block that is next (or, sending, under way) */
    uint8_t block[XMODEM_BLOCK];
    unsigned filled;
};

/* Begins; `size` bytes at `address`. Receiving, the rest of the last block is dropped. */
void xmodem_receive(struct xmodem *x, const struct xmodem_port *port, uint32_t address, uint32_t size);
void xmodem_send(struct xmodem *x, uint32_t address, uint32_t size);

/* A byte from the other side, while the mode is not idle. */
void xmodem_feed(struct xmodem *x, const struct xmodem_port *port, uint8_t byte);

/* CRC-16/XMODEM: polynomial 0x1021, start 0. */
uint16_t xmodem_crc(uint16_t crc, uint8_t byte);

#endif
