/* SPDX-License-Identifier: MIT */
#include "rnn_model.h"

#include "rnn_input.h"
#include "rnn_matvec.h"

struct rnn_counters rnn_counters;

static int32_t logits[RNN_SUMS(RNN_CLASSES)];
static uint8_t label;

void rnn_model_reset(void)
{
    rnn_counters = (struct rnn_counters){0, 0, 0};
    rnn_cell_reset();
}

void rnn_model_step(const int16_t *raw)
{
    rnn_input(raw);
    rnn_cell_step();
}

void rnn_model_classify(void)
{
    RNN_PRODUCT(F, rnn_vectors.h, logits, RNN_CLASSES, RNN_HIDDEN, 0);
    for (uint16_t c = 0; c < RNN_CLASSES; c++)
        logits[c] += RNN_LOAD_S32(rnn_model_b_F + c);
    label = 0;
    for (uint8_t c = 1; c < RNN_CLASSES; c++)
        if (logits[c] > logits[label])
            label = c;
}

const int32_t *rnn_model_logits(void)
{
    return logits;
}

uint8_t rnn_model_label(void)
{
    return label;
}
