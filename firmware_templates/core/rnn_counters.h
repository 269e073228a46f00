/* SPDX-License-Identifier: MIT
 *
 * rnn_counters.h -- how many values were clamped since rnn_model_reset: in the input stage, in the
 * low-rank products and GRU's intermediate terms (mid), in hidden and cell states (state). */
#ifndef RNN_COUNTERS_H
#define RNN_COUNTERS_H

/* Byte offsets in the struct, for assembly. */
#define RNN_COUNTERS_INPUT 0
#define RNN_COUNTERS_MID 4
#define RNN_COUNTERS_STATE 8

#ifndef __ASSEMBLER__

#include <stdint.h>

struct rnn_counters {
    uint32_t input;
    uint32_t mid;
    uint32_t state;
};

extern struct rnn_counters rnn_counters;

#endif

#endif
