/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include "crc32.h"

static const uint8_t zero = 0;

uint16_t frame_seal(uint8_t *body, uint8_t type, uint8_t seq, uint16_t length)
{
    body[0] = type;
    body[1] = seq;
    body[2] = (uint8_t)length;
    body[3] = (uint8_t)(length >> 8);
    uint16_t covered = (uint16_t)(FRAME_HEADER + length);
    uint32_t crc = crc32_finish(crc32_update(CRC32_START, body, covered));
    for (uint8_t i = 0; i < FRAME_TRAILER; i++, crc >>= 8)
        body[covered + i] = (uint8_t)crc;
    return (uint16_t)(covered + FRAME_TRAILER);
}

void frame_send(const uint8_t *body, uint16_t size, cobs_sink sink)
{
    sink(&zero, 1);
    cobs_encode(body, size, sink);
    sink(&zero, 1);
}

static void restart(struct frame_decoder *decoder)
{
    decoder->size = 0;
    decoder->cobs = (struct cobs_decoder){0, 0};
}

void frame_decoder_init(struct frame_decoder *decoder, uint8_t *body, uint16_t capacity)
{
    decoder->body = body;
    decoder->capacity = capacity;
    restart(decoder);
}

static uint32_t stored_crc(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Judge what lies between two zeros. */
static enum frame_event judge(const struct frame_decoder *decoder)
{
    const uint8_t *body = decoder->body;
    if (decoder->cobs.code == 0)
        return FRAME_NONE;
    if (!cobs_is_complete(&decoder->cobs) || decoder->size > decoder->capacity ||
        decoder->size < FRAME_OVERHEAD || frame_length(body) != decoder->size - FRAME_OVERHEAD)
        return FRAME_BAD;
    uint16_t covered = (uint16_t)(decoder->size - FRAME_TRAILER);
    uint32_t crc = crc32_finish(crc32_update(CRC32_START, body, covered));
    return crc == stored_crc(body + covered) ? FRAME_GOOD : FRAME_BAD_CRC;
}

enum frame_event frame_decoder_push(struct frame_decoder *decoder, uint8_t byte)
{
    if (byte == 0) {
        enum frame_event event = judge(decoder);
        restart(decoder);
        return event;
    }
    uint8_t out;
    if (cobs_decode(&decoder->cobs, byte, &out) == COBS_BYTE) {
        if (decoder->size < decoder->capacity)
            decoder->body[decoder->size] = out;
        if (decoder->size <= decoder->capacity)
            decoder->size++;
    }
    return FRAME_NONE;
}
