/* SPDX-License-Identifier: MIT
 *
 * xmodem.c -- see xmodem.h. */
#include "xmodem.h"

#define SOH 0x01
#define EOT 0x04
#define ACK 0x06
#define NAK 0x15
#define CAN 0x18
#define CRC_PLEASE 'C'

uint16_t xmodem_crc(uint16_t crc, uint8_t byte)
{
    crc = (uint16_t)(crc ^ byte << 8);
    for (unsigned i = 0; i < 8; i++)
        crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    return crc;
}

static uint16_t block_crc(const uint8_t *data)
{
    uint16_t crc = 0;
    for (unsigned i = 0; i < XMODEM_DATA; i++)
        crc = xmodem_crc(crc, data[i]);
    return crc;
}

/* ---- receiving ---- */

void xmodem_receive(struct xmodem *x, const struct xmodem_port *port, uint32_t address, uint32_t size)
{
    *x = (struct xmodem){.mode = XMODEM_RECEIVES, .address = address, .left = size, .number = 1};
    port->reply(port->context, CRC_PLEASE);
}

static bool block_is_good(const struct xmodem *x)
{
    const uint8_t *b = x->block;
    uint16_t crc = (uint16_t)(b[XMODEM_BLOCK - 2] << 8 | b[XMODEM_BLOCK - 1]);
    return b[1] == x->number && (b[1] ^ b[2]) == 0xFF && crc == block_crc(b + 3);
}

static void keep_block(struct xmodem *x, const struct xmodem_port *port)
{
    for (unsigned i = 0; i < XMODEM_DATA && x->left; i++, x->left--)
        port->write(port->context, x->address++, x->block[3 + i]);
    x->number++;
}

static void take_byte(struct xmodem *x, const struct xmodem_port *port, uint8_t byte)
{
    if (x->filled == 0 && byte == EOT) {
        x->mode = XMODEM_IDLE;
        port->reply(port->context, ACK);
    } else if (x->filled == 0 && byte == CAN) {
        x->mode = XMODEM_IDLE;
    } else if (x->filled > 0 || byte == SOH) {
        x->block[x->filled++] = byte;
    }
    if (x->filled < XMODEM_BLOCK)
        return;
    bool good = block_is_good(x);
    if (good)
        keep_block(x, port);
    x->filled = 0;
    port->reply(port->context, good ? ACK : NAK);
}

/* ---- sending ---- */

void xmodem_send(struct xmodem *x, uint32_t address, uint32_t size)
{
    *x = (struct xmodem){.mode = XMODEM_SENDS, .address = address, .left = size, .number = 1};
}

static void send_block(const struct xmodem *x, const struct xmodem_port *port)
{
    const uint8_t head[3] = {SOH, x->number, (uint8_t)~x->number};
    uint16_t crc = 0;
    for (unsigned i = 0; i < sizeof head; i++)
        port->reply(port->context, head[i]);
    for (unsigned i = 0; i < XMODEM_DATA; i++) {
        uint8_t byte = i < x->left ? port->read(port->context, x->address + i) : 0;
        crc = xmodem_crc(crc, byte);
        port->reply(port->context, byte);
    }
    port->reply(port->context, (uint8_t)(crc >> 8));
    port->reply(port->context, (uint8_t)crc);
}

static void send_next(struct xmodem *x, const struct xmodem_port *port)
{
    if (x->left)
        send_block(x, port);
    else
        port->reply(port->context, EOT);
}

/* `C` begins, ACK asks for the next, NAK for the same; the ACK of EOT ends. */
static void answer_byte(struct xmodem *x, const struct xmodem_port *port, uint8_t byte)
{
    if (byte == CAN || (byte == ACK && !x->left)) {
        x->mode = XMODEM_IDLE;
        return;
    }
    if (byte == ACK) {
        uint32_t moved = x->left < XMODEM_DATA ? x->left : XMODEM_DATA;
        x->address += moved;
        x->left -= moved;
        x->number++;
    }
    if (byte == ACK || byte == NAK || byte == CRC_PLEASE)
        send_next(x, port);
}

void xmodem_feed(struct xmodem *x, const struct xmodem_port *port, uint8_t byte)
{
    if (x->mode == XMODEM_RECEIVES)
        take_byte(x, port, byte);
    else if (x->mode == XMODEM_SENDS)
        answer_byte(x, port, byte);
}
