/* SPDX-License-Identifier: MIT
 *
 * app_target.c -- the whole firmware of a small model on a HAL of memory: any bytes, and any
 * requests with a right checksum, so that what lies behind the checksum is reached.
 *
 * Input: pieces. An odd first byte: a frame, (type, seq, length, payload), where a seq below 224
 * stands for the one that is due. An even one: half as many raw bytes. What the firmware sends must
 * be whole frames. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "frame.h"
#include "hal.h"
#include "messages.h"

#define LINE 65536u
#define LONGEST 255u            /* payload of a request, above what the firmware takes */
#define LARGEST_REPLY 1024u
#define ANY_SEQ 224u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t line[LINE];
static size_t head, tail;
static jmp_buf reset;
static struct frame_decoder replies;
static uint8_t reply[LARGEST_REPLY];
static uint32_t clock;

/* ---- the HAL ---- */

void hal_init(void)
{
}

uint16_t hal_waiting(const uint8_t **bytes)
{
    size_t left = head - tail;
    *bytes = line + tail;
    return (uint16_t)(left < 31 ? left : 31);   /* as a ring that wraps */
}

void hal_drop(uint16_t count)
{
    if (count > head - tail)
        abort();
    tail += count;
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    for (uint16_t i = 0; i < size; i++) {
        enum frame_event event = frame_decoder_push(&replies, bytes[i]);
        if (event != FRAME_NONE && event != FRAME_GOOD && event != FRAME_EMPTY)
            abort();
    }
}

void hal_idle(void)
{
}

uint32_t hal_overruns(void)
{
    return 0;
}

uint16_t hal_window(void)
{
    return 64;
}

uint8_t hal_bauds(void)
{
    return BAUD_BIT(BAUD_500000);
}

void hal_set_baud(uint8_t rate)
{
    if (rate != BAUD_BASE && rate != BAUD_500000)
        abort();
}

void hal_stretch_begin(void)
{
}

uint32_t hal_stretch_end(void)
{
    clock = clock * 1664525u + 1013904223u;
    return clock >> 30 ? clock >> 12 : CYCLES_UNKNOWN;
}

uint8_t hal_timer(void)
{
    return TIMER_NONE;
}

uint16_t hal_stack_peak(void)
{
    return 0;
}

void hal_reset(void)
{
    longjmp(reset, 1);
}

/* ---- the line ---- */

static void sink(const uint8_t *bytes, uint16_t size)
{
    if (size <= LINE - head) {
        memcpy(line + head, bytes, size);
        head += size;
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One piece of the input onto the line; how much of the input it was. */
static size_t put_piece(const uint8_t *data, size_t size, uint8_t *due)
{
    if (!(data[0] & 1)) {
        size_t raw = least(data[0] / 2u, size - 1);
        sink(data + 1, (uint16_t)raw);
        return 1 + raw;
    }
    if (size < 4)
        return size;
    uint8_t body[LONGEST + FRAME_OVERHEAD];
    uint8_t length = (uint8_t)least(data[3], size - 4);
    uint8_t seq = data[2] < ANY_SEQ ? (*due)++ : data[2];
    memcpy(body + FRAME_HEADER, data + 4, length);
    frame_send(body, frame_seal(body, data[1], seq, length), sink);
    return 4u + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t due = 1;
    head = tail = 0;
    clock = 1;
    for (size_t at = 0; at < size;)
        at += put_piece(data + at, size - at, &due);
    frame_decoder_init(&replies, reply, sizeof reply);
    (void)setjmp(reset);
    app_start();
    while (tail < head)
        app_poll();
    return 0;
}
