/* SPDX-License-Identifier: MIT */
#include "requests.h"

#include <stdbool.h>

#include "bytes.h"
#include "hal.h"
#include "measure.h"
#include "messages.h"
#include "rnn_model.h"

#define STEP_BYTES (2u * RNN_FEATURES)

static bool window_open;            /* a STEP may go on without the flag `first` */
static int16_t sample[RNN_FEATURES];

static uint8_t *put_flash(uint8_t *at, const uint8_t *from, uint8_t size)
{
    while (size--)
        at = put_u8(at, RNN_LOAD_U8(from++));
    return at;
}

static uint8_t *put_logits(uint8_t *at)
{
    const int32_t *logits = rnn_model_logits();
    for (uint16_t c = 0; c < RNN_CLASSES; c++)
        at = put_u32(at, (uint32_t)logits[c]);
    return at;
}

int16_t request_hello(uint8_t *reply)
{
    uint8_t *at = reply;
    window_open = false;
    at = put_u8(at, LINK_PROTOCOL);
    at = put_u8(at, hal_timer());
    at = put_u8(at, RNN_STATE_BITS / 8);
    at = put_u8(at, hal_bauds());
    at = put_u32(at, RNN_CLOCK_HZ);
    at = put_u16(at, RNN_MAX_PAYLOAD);
    at = put_u16(at, RNN_FEATURES);
    at = put_u16(at, RNN_HIDDEN);
    at = put_u16(at, RNN_CLASSES);
    at = put_u16(at, RNN_STEPS);
    at = put_u16(at, RNN_BENCH_STEPS);
    at = put_u16(at, measure_overhead());
    at = put_u16(at, hal_window());
    at = put_flash(at, rnn_identity_board, 16);
    at = put_flash(at, rnn_identity_firmware, 8);
    at = put_flash(at, rnn_identity_model, 32);
    return (int16_t)(at - reply);
}

/* ---- STEP ---- */

static const uint8_t *run_steps(const uint8_t *samples, uint8_t count)
{
    for (; count; count--) {
        for (uint16_t d = 0; d < RNN_FEATURES; d++, samples += 2)
            sample[d] = get_s16(samples);
        measure_step(sample);
    }
    return samples;
}

static uint8_t *put_window(uint8_t *at)
{
    at = put_u8(at, rnn_model_label());
    at = put_u8(at, 0);
    at = put_u32(at, measure_cycles());
    at = put_u32(at, rnn_counters.input);
    at = put_u32(at, rnn_counters.mid);
    at = put_u32(at, rnn_counters.state);
    return put_logits(at);
}

static uint8_t *put_hidden(uint8_t *at)
{
    for (uint16_t j = 0; j < RNN_HIDDEN; j++)
        at = put_u16(at, (uint16_t)(int16_t)rnn_vectors.h[j]);
    return at;
}

int16_t request_step(const uint8_t *payload, uint16_t length, uint8_t *reply)
{
    if (length < STEP_HEADER_SIZE || length != STEP_HEADER_SIZE + (uint32_t)payload[1] * STEP_BYTES)
        return -NAK_BAD_LENGTH;
    uint8_t flags = payload[0];
    if (!(flags & STEP_FIRST) && !window_open)
        return -NAK_NO_FIRST;
    if (flags & STEP_FIRST)
        measure_start();
    run_steps(payload + STEP_HEADER_SIZE, payload[1]);
    window_open = !(flags & STEP_LAST);
    uint8_t *at = put_u16(reply, RNN_MAX_PAYLOAD);
    if (flags & STEP_LAST) {
        measure_classify();
        at = put_window(at);
    }
    if (flags & STEP_TRACE)
        at = put_hidden(at);
    return (int16_t)(at - reply);
}

/* ---- BAUD, STATS, BENCH ---- */

int16_t request_baud(const uint8_t *payload, uint16_t length, uint8_t *reply)
{
    if (length != BAUD_SIZE)
        return -NAK_BAD_LENGTH;
    if (payload[0] != BAUD_BASE && (payload[0] > 7u || !(hal_bauds() & BAUD_BIT(payload[0]))))
        return -NAK_BAD_BAUD;
    return (int16_t)(put_u8(reply, payload[0]) - reply);
}

int16_t request_stats(const struct link_counters *counters, uint8_t *reply)
{
    uint8_t *at = put_u32(reply, measure_cycles());
    at = put_u16(at, hal_stack_peak());
    at = put_u16(at, 0);
    at = put_u32(at, counters->frames);
    at = put_u32(at, counters->bad_crc);
    at = put_u32(at, counters->bad_frame);
    at = put_u32(at, counters->repeats);
    at = put_u32(at, hal_overruns());
    return (int16_t)(at - reply);
}

/* The stored window, once. */
static void run_bench(void)
{
    const int16_t *from = rnn_bench_window;
    measure_start();
    for (uint16_t t = 0; t < RNN_BENCH_STEPS; t++) {
        for (uint16_t d = 0; d < RNN_FEATURES; d++)
            sample[d] = RNN_LOAD_S16(from++);
        measure_step(sample);
    }
    measure_classify();
}

int16_t request_bench(const uint8_t *payload, uint16_t length, uint8_t *reply)
{
    if (length != 2 || get_u16(payload) == 0)
        return -NAK_BAD_LENGTH;
    uint16_t repeats = get_u16(payload);
    uint32_t least = CYCLES_UNKNOWN, most = 0;
    window_open = false;
    for (uint16_t i = 0; i < repeats; i++) {
        run_bench();
        uint32_t cycles = measure_cycles();
        least = cycles < least ? cycles : least;
        most = cycles > most ? cycles : most;
    }
    uint8_t *at = put_u16(reply, repeats);
    at = put_u16(at, RNN_BENCH_STEPS);
    at = put_u32(at, least);
    at = put_u32(at, most);
    at = put_logits(at);
    return (int16_t)(at - reply);
}
