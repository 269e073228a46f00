/* SPDX-License-Identifier: MIT
 *
 * The rules of docs/link.md ("Exchange"): sequence numbers, repeats, refusals. */
#include "app.h"

#include <stdbool.h>

#include "bytes.h"
#include "frame.h"
#include "hal.h"
#include "measure.h"
#include "messages.h"
#include "requests.h"
#include "rnn_model.h"

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define MAX_REPLY \
    LARGER(HELLO_REPLY_SIZE, \
           LARGER(STEP_REPLY_SIZE(RNN_CLASSES, RNN_HIDDEN), BENCH_REPLY_SIZE(RNN_CLASSES)))

static uint8_t request[RNN_MAX_PAYLOAD + FRAME_OVERHEAD];
static struct frame_decoder decoder;
static struct link_counters counters;

/* The last executed request's reply, kept sealed: a repeated request gets the same bytes again. */
static uint8_t reply[MAX_REPLY + FRAME_OVERHEAD];
static uint16_t reply_size;
static uint8_t last_seq;
static bool greeted;                /* a HELLO has set last_seq */

/* At another rate than the base's, so many zeros, or bytes beyond the largest frame, without a good
 * frame among them mean that nobody hears us at it: the host is gone and back, or the line unfit. */
#define PATIENCE 64u
static uint8_t baud;
static uint8_t patience;            /* what is left of that */

static void put_nak(uint8_t *body, uint8_t code)
{
    put_u8(put_u8(body + FRAME_HEADER, code), last_seq);
}

/* Refuse without executing: neither the count nor the kept reply changes. */
static void refuse(uint8_t seq, uint8_t code)
{
    uint8_t body[NAK_SIZE + FRAME_OVERHEAD];
    put_nak(body, code);
    frame_send(body, frame_seal(body, MESSAGE_NAK | MESSAGE_REPLY, seq, NAK_SIZE), hal_write);
}

static int16_t execute(uint8_t type, const uint8_t *payload, uint16_t length, uint8_t *to)
{
    if (type == MESSAGE_STEP)
        return request_step(payload, length, to);
    if (type == MESSAGE_BENCH)
        return request_bench(payload, length, to);
    if (type == MESSAGE_BAUD)
        return request_baud(payload, length, to);
    if (type != MESSAGE_HELLO && type != MESSAGE_STATS && type != MESSAGE_RESET)
        return -NAK_UNKNOWN_TYPE;
    if (length != 0)
        return -NAK_BAD_LENGTH;
    if (type == MESSAGE_HELLO)
        return request_hello(to);
    return type == MESSAGE_STATS ? request_stats(&counters, to) : 0;
}

static void set_baud(uint8_t rate)
{
    baud = rate;
    patience = PATIENCE;
    hal_set_baud(rate);
}

/* A new request: execute it, keep and send its reply. */
static void answer(uint8_t type, uint8_t seq, const uint8_t *payload, uint16_t length)
{
    last_seq = seq;
    int16_t size = execute(type, payload, length, reply + FRAME_HEADER);
    if (size < 0) {
        put_nak(reply, (uint8_t)-size);
        type = MESSAGE_NAK;
        size = NAK_SIZE;
    }
    reply_size = frame_seal(reply, (uint8_t)(type | MESSAGE_REPLY), seq, (uint16_t)size);
    frame_send(reply, reply_size, hal_write);
    if (type == MESSAGE_RESET)
        hal_reset();
    if (type == MESSAGE_BAUD)
        set_baud(reply[FRAME_HEADER]);
}

static void serve(void)
{
    uint8_t type = frame_type(request), seq = frame_seq(request);
    uint16_t length = frame_length(request);
    if (type == MESSAGE_HELLO && length == 0) {
        greeted = true;
    } else if (!greeted) {
        refuse(seq, NAK_HELLO_FIRST);
        return;
    } else if (seq == last_seq) {
        counters.repeats++;
        frame_send(reply, reply_size, hal_write);
        return;
    } else if (seq != (uint8_t)(last_seq + 1u)) {
        refuse(seq, NAK_BAD_SEQ);
        return;
    }
    answer(type, seq, request + FRAME_HEADER, length);
}

static void take(enum frame_event event)
{
    switch (event) {
    case FRAME_GOOD:
        patience = PATIENCE;
        counters.frames++;
        serve();
        return;
    case FRAME_BAD_CRC:
        counters.bad_crc++;
        break;
    case FRAME_BAD:
        counters.bad_frame++;
        break;
    default:
        break;
    }
    if (baud != BAUD_BASE && --patience == 0)
        set_baud(BAUD_BASE);
}

void app_start(void)
{
    hal_init();
    measure_calibrate();
    frame_decoder_init(&decoder, request, sizeof request);
    answer(MESSAGE_HELLO, 0, request, 0);       /* the banner; last_seq stays unset until greeted */
}

void app_poll(void)
{
    const uint8_t *bytes;
    uint16_t count;
    while ((count = hal_waiting(&bytes)) != 0) {
        enum frame_event event = frame_decoder_take(&decoder, bytes, &count);
        hal_drop(count);            /* before a request is executed: there is room for the next */
        if (event != FRAME_NONE)
            take(event);
    }
    hal_idle();
}
