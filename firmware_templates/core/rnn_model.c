/* SPDX-License-Identifier: MIT */
#include "rnn_model.h"

#include "rnn_compand_s16.h"
#include "rnn_matvec.h"
#include "rnn_standardise_s16_s8.h"

struct rnn_counters rnn_counters;

static int8_t x[RNN_FEATURES];
static int32_t logits[RNN_CLASSES];
static uint8_t label;

void rnn_model_reset(void)
{
    rnn_counters = (struct rnn_counters){0, 0, 0};
    rnn_cell_reset();
}

/* The value of channel d before it is standardised. */
static int16_t companded(const int16_t *raw, uint16_t d)
{
#if RNN_COMPANDED
    if (RNN_LOAD_U8(rnn_table_pre_companded + d))
        return rnn_compand_s16(raw[d], rnn_table_compander);
#endif
    return raw[d];
}

void rnn_model_step(const int16_t *raw)
{
    for (uint16_t d = 0; d < RNN_FEATURES; d++)
        x[d] = rnn_standardise_s16_s8(companded(raw, d), RNN_LOAD_S16(rnn_table_pre_multiplier + d),
                                      RNN_LOAD_S32(rnn_table_pre_offset + d), RNN_PRE_SHIFT,
                                      &rnn_counters.input);
    rnn_cell_step(x);
}

void rnn_model_classify(void)
{
    for (uint16_t c = 0; c < RNN_CLASSES; c++)
        logits[c] = RNN_LOAD_S32(rnn_model_b_F + c);
    const rnn_state_t *h = rnn_cell_hidden();
    RNN_MATVEC(dense, RNN_STATE_TYPE)(rnn_model_F, h, logits, RNN_CLASSES, RNN_HIDDEN);
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
