/* SPDX-License-Identifier: MIT
 *
 * frame_target.c -- any bytes through the frame decoder, into a buffer of exactly its capacity.
 *
 * Input: capacity - 8, then the wire. What is found good is sent again and must be found again. */
#include <stdlib.h>
#include <string.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t sent[1024];
static uint16_t sent_size;

static void sink(const uint8_t *bytes, uint16_t size)
{
    memcpy(sent + sent_size, bytes, size);
    sent_size = (uint16_t)(sent_size + size);
}

/* A good frame, encoded and decoded: the same bytes. */
static void check_again(const uint8_t *body, uint16_t capacity)
{
    uint16_t whole = (uint16_t)(frame_length(body) + FRAME_OVERHEAD);
    uint8_t *copy = malloc(capacity), *found = malloc(capacity);
    memcpy(copy, body, whole);
    if (frame_seal(copy, frame_type(body), frame_seq(body), frame_length(body)) != whole)
        abort();
    sent_size = 0;
    frame_send(copy, whole, sink);
    struct frame_decoder decoder;
    frame_decoder_init(&decoder, found, capacity);
    unsigned good = 0;
    for (uint16_t i = 0; i < sent_size; i++)
        good += frame_decoder_push(&decoder, sent[i]) == FRAME_GOOD;
    if (good != 1 || memcmp(found, body, whole) != 0)
        abort();
    free(copy);
    free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint16_t capacity = (uint16_t)(FRAME_OVERHEAD + data[0]);
    uint8_t *body = malloc(capacity);
    struct frame_decoder decoder;
    frame_decoder_init(&decoder, body, capacity);
    for (size_t i = 1; i < size; i++)
        if (frame_decoder_push(&decoder, data[i]) == FRAME_GOOD)
            check_again(body, capacity);
    free(body);
    return 0;
}
