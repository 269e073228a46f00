/* SPDX-License-Identifier: MIT */
#include "rnn_input.h"

#include "rnn_compand_s16.h"
#include "rnn_counters.h"
#include "rnn_scale_s32.h"
#include "rnn_standardise_s16_s8.h"
#include "rnn_vectors.h"

/* The value of channel d before it is standardised. */
static int16_t companded(const int16_t *raw, uint16_t d)
{
#if RNN_COMPANDED
    if (RNN_LOAD_U8(rnn_table_pre_companded + d))
        return rnn_compand_s16(raw[d], rnn_table_compander);
#endif
    return raw[d];
}

void rnn_input(const int16_t *raw)
{
    rnn_input_t *x = rnn_vectors.x + (RNN_INPUTS - RNN_FEATURES);
    for (uint16_t d = 0; d < RNN_FEATURES; d++) {
        int8_t value = rnn_standardise_s16_s8(
            companded(raw, d), RNN_LOAD_S16(rnn_table_pre_multiplier + d),
            RNN_LOAD_S32(rnn_table_pre_offset + d), RNN_PRE_SHIFT, &rnn_counters.input);
        x[d] = (rnn_input_t)rnn_scale_s32(value, RNN_X_ALIGN);
    }
}
