/* SPDX-License-Identifier: MIT
 *
 * cell_case.c -- one model's cell: from h and x of each trial a few steps, then h and the counts of
 * clamps to the serial line. */
#include "rnn_cell.h"
#include "rnn_counters.h"

#define STEPS 3

extern const uint8_t trials[];      /* count, then per trial h and x as rnn_vectors has them */
void put(uint8_t byte);
void run_case(void);

struct rnn_counters rnn_counters;

static void put_bytes(const void *from, uint16_t size)
{
    for (const uint8_t *byte = from; size; size--)
        put(*byte++);
}

void run_case(void)
{
    const uint8_t *from = trials;
    for (uint8_t left = RNN_LOAD_U8(from++); left; left--) {
        rnn_counters = (struct rnn_counters){0, 0, 0};
        rnn_cell_reset();
        uint8_t *to = (uint8_t *)&rnn_vectors;
        for (uint16_t i = 0; i < sizeof rnn_vectors; i++)
            *to++ = RNN_LOAD_U8(from++);
        for (uint8_t step = 0; step < STEPS; step++)
            rnn_cell_step();
        put_bytes(rnn_vectors.h, sizeof rnn_vectors.h);
        put_bytes(&rnn_counters.mid, 4);
        put_bytes(&rnn_counters.state, 4);
    }
}
