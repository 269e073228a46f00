/* SPDX-License-Identifier: MIT
 *
 * products_case.c -- one model's products: h and x of each trial from flash, sums to the serial line. */
#include <avr/io.h>

#include "rnn_counters.h"
#include "rnn_products.h"

extern const uint8_t trials[];      /* count, then per trial h and x as rnn_vectors has them */
void put(uint8_t byte);
void run_case(void);

struct rnn_counters rnn_counters;

static int32_t acc[RNN_ROWS];

static void put_bytes(const void *from, uint16_t size)
{
    for (const uint8_t *byte = from; size; size--)
        put(*byte++);
}

void run_case(void)
{
    const uint8_t *from = trials;
    for (uint8_t left = RNN_LOAD_U8(from++); left; left--) {
        rnn_vectors_reset();
        uint8_t *to = (uint8_t *)&rnn_vectors;
        for (uint16_t i = 0; i < sizeof rnn_vectors; i++)
            *to++ = RNN_LOAD_U8(from++);
        for (uint16_t r = 0; r < RNN_ROWS; r++)
            acc[r] = 0x5A5A5A5A;        /* what was there before must not matter */
        rnn_counters.mid = 0xFFFFFF;
        GPIOR0 = 1;                     /* a measured stretch of the virtual board */
        rnn_products(acc);
        GPIOR0 = 2;
        put_bytes(acc, sizeof acc);
        put_bytes(&rnn_counters.mid, 4);
    }
}
