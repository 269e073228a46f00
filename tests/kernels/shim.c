/* SPDX-License-Identifier: MIT
 *
 * shim.c -- what ctypes cannot reach: inline kernels as functions, and frames through buffers. */
#include <string.h>

#include "crc32.h"
#include "frame.h"
#include "rnn_gate_u8_s16.h"
#include "rnn_index_s32_u8.h"
#include "rnn_mix_s16_s16.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_modrelu_s16.h"
#include "rnn_rshift_s32.h"
#include "rnn_sat_s32_s16.h"
#include "rnn_sat_s32_s8.h"
#include "rnn_scale_s32.h"
#include "rnn_standardise_s16_s8.h"

int32_t shim_rshift(int32_t v, uint8_t shift);
int32_t shim_scale(int32_t v, uint8_t shift);
int16_t shim_sat16(int32_t v, uint32_t *count);
int8_t shim_sat8(int32_t v, uint32_t *count);
uint8_t shim_index(int32_t a, uint8_t shift);
int32_t shim_mix(uint8_t p, int16_t a, uint8_t q, int16_t b);
int8_t shim_standardise(int16_t v, int16_t m, int32_t offset, uint8_t shift, uint32_t *count);
uint32_t shim_crc(const uint8_t *bytes, uint16_t size);
uint32_t shim_encode(uint8_t *body, uint8_t type, uint8_t seq, uint16_t length, uint8_t *out);
void shim_decode(const uint8_t *wire, uint32_t size, uint8_t *body, uint16_t capacity,
                 uint8_t *events, uint8_t *bodies);

int32_t shim_rshift(int32_t v, uint8_t shift)
{
    return rnn_rshift_s32(v, shift);
}

int32_t shim_scale(int32_t v, uint8_t shift)
{
    return rnn_scale_s32(v, shift);
}

int16_t shim_sat16(int32_t v, uint32_t *count)
{
    return rnn_sat_s32_s16(v, count);
}

int8_t shim_sat8(int32_t v, uint32_t *count)
{
    return rnn_sat_s32_s8(v, count);
}

uint8_t shim_index(int32_t a, uint8_t shift)
{
    return rnn_index_s32_u8(a, shift);
}

int32_t shim_mix(uint8_t p, int16_t a, uint8_t q, int16_t b)
{
    return rnn_mix_u8_s16(p, a, q, b);
}

uint16_t shim_modrelu_gain(int16_t re, int16_t im, int16_t bias, const int16_t *table);
uint16_t shim_modrelu_gain(int16_t re, int16_t im, int16_t bias, const int16_t *table)
{
    return rnn_modrelu_gain(re, im, bias, table);
}

int32_t shim_modrelu_apply(int16_t part, uint16_t gain);
int32_t shim_modrelu_apply(int16_t part, uint16_t gain)
{
    return rnn_modrelu_apply(part, gain);
}

int32_t shim_mix_signed(int16_t p, int16_t a, int16_t q, int16_t b);
int32_t shim_mix_signed(int16_t p, int16_t a, int16_t q, int16_t b)
{
    return rnn_mix_s16_s16(p, a, q, b);
}

int8_t shim_standardise(int16_t v, int16_t m, int32_t offset, uint8_t shift, uint32_t *count)
{
    return rnn_standardise_s16_s8(v, m, offset, shift, count);
}

uint32_t shim_crc(const uint8_t *bytes, uint16_t size)
{
    return crc32_finish(crc32_update(CRC32_START, bytes, size));
}

static uint8_t *sunk;

static void sink(const uint8_t *bytes, uint16_t size)
{
    memcpy(sunk, bytes, size);
    sunk += size;
}

/* Seal the body whose payload is in place, write the wire's bytes to `out`, return how many. */
uint32_t shim_encode(uint8_t *body, uint8_t type, uint8_t seq, uint16_t length, uint8_t *out)
{
    sunk = out;
    frame_send(body, frame_seal(body, type, seq, length), sink);
    return (uint32_t)(sunk - out);
}

/* Feed `size` bytes: events[i] is what byte i caused; the bodies of good frames are appended to
 * `bodies`. */
void shim_decode(const uint8_t *wire, uint32_t size, uint8_t *body, uint16_t capacity,
                 uint8_t *events, uint8_t *bodies)
{
    struct frame_decoder decoder;
    frame_decoder_init(&decoder, body, capacity);
    for (uint32_t i = 0; i < size; i++) {
        events[i] = (uint8_t)frame_decoder_push(&decoder, wire[i]);
        if (events[i] == FRAME_GOOD) {
            uint16_t whole = (uint16_t)(frame_length(body) + FRAME_OVERHEAD);
            memcpy(bodies, body, whole);
            bodies += whole;
        }
    }
}

/* The same in runs of `chunk` bytes: counts[event] of each, and the bodies of good frames. */
void shim_take(const uint8_t *wire, uint32_t size, uint16_t chunk, uint8_t *body, uint16_t capacity,
               uint32_t *counts, uint8_t *bodies)
{
    struct frame_decoder decoder;
    frame_decoder_init(&decoder, body, capacity);
    while (size) {
        uint16_t count = size < chunk ? (uint16_t)size : chunk;
        enum frame_event event = frame_decoder_take(&decoder, wire, &count);
        wire += count;
        size -= count;
        counts[event]++;
        if (event == FRAME_GOOD) {
            uint16_t whole = (uint16_t)(frame_length(body) + FRAME_OVERHEAD);
            memcpy(bodies, body, whole);
            bodies += whole;
        }
    }
}
