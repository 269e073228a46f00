/* SPDX-License-Identifier: MIT
 *
 * messages.h -- the numbers of docs/link.md: types, flags, codes, sizes. Twin: harness/link/. */
#ifndef MESSAGES_H
#define MESSAGES_H

#define LINK_PROTOCOL 2u

enum message_type {
    MESSAGE_HELLO = 0x01,
    MESSAGE_STEP = 0x02,
    MESSAGE_STATS = 0x03,
    MESSAGE_BENCH = 0x04,
    MESSAGE_RESET = 0x05,
    MESSAGE_BAUD = 0x06,
    MESSAGE_NAK = 0x7f,
    MESSAGE_REPLY = 0x80            /* added to the type of a request */
};

enum step_flag { STEP_FIRST = 1, STEP_LAST = 2, STEP_TRACE = 4 };

enum nak_code {
    NAK_UNKNOWN_TYPE = 1,
    NAK_BAD_LENGTH = 2,
    NAK_NO_FIRST = 3,
    NAK_BAD_SEQ = 4,
    NAK_HELLO_FIRST = 5,
    NAK_BAD_BAUD = 6
};

/* What counts cycles; HELLO.timer. */
enum hal_timer {
    TIMER_NONE = 0,
    TIMER_TIMER1 = 1,
    TIMER_SYSTICK = 2,
    TIMER_DWT = 3,
    TIMER_CLOCK_NS = 4              /* a clock: "cycles" are nanoseconds */
};

/* Rates that a board may be asked for; HELLO.bauds has the bit of each that it can do. */
enum baud {
    BAUD_BASE = 0,                  /* what the board starts with */
    BAUD_230400 = 1,
    BAUD_250000 = 2,
    BAUD_460800 = 3,
    BAUD_500000 = 4,
    BAUD_921600 = 5,
    BAUD_1000000 = 6,
    BAUD_2000000 = 7
};
#define BAUD_BIT(rate) ((uint8_t)(1u << (rate)))

/* Payload sizes in bytes. */
#define HELLO_REPLY_SIZE 80u
#define STATS_REPLY_SIZE 28u
#define NAK_SIZE 2u
#define BAUD_SIZE 1u                 /* of the request and of the reply */
#define STEP_HEADER_SIZE 2u
#define STEP_REPLY_SIZE(classes, hidden) (2u + 18u + 4u * (classes) + 2u * (hidden))
#define BENCH_REPLY_SIZE(classes) (12u + 4u * (classes))

/* Cycles that could not be trusted. */
#define CYCLES_UNKNOWN 0xffffffffUL

#endif
