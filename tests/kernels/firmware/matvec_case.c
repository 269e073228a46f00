/* SPDX-License-Identifier: MIT
 *
 * matvec_case.c -- the classifier's product of one model: F h, and added to a start. */
#include "rnn_matvec.h"
#include "rnn_vectors.h"

#define START 0x12345678

extern const uint8_t trials[];      /* count, then per trial h and x as rnn_vectors has them */
void put(uint8_t byte);
void run_case(void);

static struct rnn_vectors v;
static int32_t acc[RNN_CLASSES];

static void product(uint8_t add)
{
    for (uint16_t c = 0; c < RNN_CLASSES; c++)
        acc[c] = START;
    RNN_PRODUCT(F, v.h, acc, RNN_CLASSES, RNN_HIDDEN, add);
    for (uint16_t i = 0; i < sizeof acc; i++)
        put(((const uint8_t *)acc)[i]);
}

void run_case(void)
{
    const uint8_t *from = trials;
    for (uint8_t left = RNN_LOAD_U8(from++); left; left--) {
        for (uint16_t i = 0; i < sizeof v; i++)
            ((uint8_t *)&v)[i] = RNN_LOAD_U8(from++);
        product(0);
        product(1);
    }
}
