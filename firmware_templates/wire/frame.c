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
        return FRAME_EMPTY;
    if (!cobs_is_complete(&decoder->cobs) || decoder->size > decoder->capacity ||
        decoder->size < FRAME_OVERHEAD || frame_length(body) != decoder->size - FRAME_OVERHEAD)
        return FRAME_BAD;
    uint16_t covered = (uint16_t)(decoder->size - FRAME_TRAILER);
    uint32_t crc = crc32_finish(crc32_update(CRC32_START, body, covered));
    return crc == stored_crc(body + covered) ? FRAME_GOOD : FRAME_BAD_CRC;
}

/* A call of its own: what it needs of registers is not to be saved at every byte. */
static __attribute__((noinline)) enum frame_event frame_finish(struct frame_decoder *decoder)
{
    enum frame_event event = judge(decoder);
    restart(decoder);
    return event;
}

enum frame_event frame_decoder_push(struct frame_decoder *decoder, uint8_t byte)
{
    if (byte == 0)
        return frame_finish(decoder);
    uint8_t out;
    if (cobs_decode(&decoder->cobs, byte, &out) != COBS_BYTE)
        return FRAME_NONE;
    uint16_t size = decoder->size;
    if (size >= decoder->capacity) {
        decoder->size = (uint16_t)(decoder->capacity + 1u);
        return FRAME_TOO_LONG;
    }
    decoder->body[size] = out;
    decoder->size = (uint16_t)(size + 1u);
    return FRAME_NONE;
}

/* The bytes of a block, which are most of all, up to a zero that does not belong there. */
static const uint8_t *take_run(struct frame_decoder *decoder, const uint8_t *at, uint16_t count)
{
    uint16_t room = (uint16_t)(decoder->capacity - decoder->size);
    uint16_t run = decoder->cobs.left;
    if (decoder->size > decoder->capacity)
        return at;
    run = run < room ? run : room;
    run = run < count ? run : count;
    uint8_t *to = decoder->body + decoder->size;
    const uint8_t *from = at, *end = at + run;
    for (uint8_t byte; at != end && (byte = *at) != 0; at++)
        *to++ = byte;
    uint16_t taken = (uint16_t)(at - from);
    decoder->size = (uint16_t)(decoder->size + taken);
    decoder->cobs.left = (uint8_t)(decoder->cobs.left - taken);
    return at;
}

enum frame_event frame_decoder_take(struct frame_decoder *decoder, const uint8_t *bytes,
                                    uint16_t *count)
{
    const uint8_t *at = bytes, *end = bytes + *count;
    enum frame_event event = FRAME_NONE;
    while (event == FRAME_NONE && at != end) {
        if (decoder->cobs.left)
            at = take_run(decoder, at, (uint16_t)(end - at));
        if (at != end)
            event = frame_decoder_push(decoder, *at++);
    }
    *count = (uint16_t)(at - bytes);
    return event;
}
