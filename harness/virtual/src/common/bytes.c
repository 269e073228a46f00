/* SPDX-License-Identifier: MIT
 * bytes.c -- a ring of bytes. See host_parts.h. */
#include "host_parts.h"

#define MASK (BYTE_QUEUE - 1u)

uint32_t bytes_count(const byte_queue *q) { return q->tail - q->head; }

uint32_t bytes_room(const byte_queue *q) { return BYTE_QUEUE - bytes_count(q); }

bool bytes_push(byte_queue *q, uint8_t byte)
{
    if (bytes_room(q) == 0)
        return false;
    q->data[q->tail++ & MASK] = byte;
    return true;
}

int bytes_pop(byte_queue *q)
{
    return bytes_count(q) ? q->data[q->head++ & MASK] : -1;
}

void bytes_clear(byte_queue *q) { q->head = q->tail; }

static size_t run_from(uint32_t at, uint32_t available)
{
    uint32_t to_end = BYTE_QUEUE - (at & MASK);
    return available < to_end ? available : to_end;
}

uint8_t *bytes_free_run(byte_queue *q, size_t *size)
{
    *size = run_from(q->tail, bytes_room(q));
    return &q->data[q->tail & MASK];
}

const uint8_t *bytes_used_run(const byte_queue *q, size_t *size)
{
    *size = run_from(q->head, bytes_count(q));
    return &q->data[q->head & MASK];
}
