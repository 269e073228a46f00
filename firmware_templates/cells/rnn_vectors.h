/* SPDX-License-Identifier: MIT
 *
 * rnn_vectors.h -- what the products of a step multiply: the state h and the input x.
 *
 * The element types are the build's choice (RNN_H_TYPE, RNN_X_TYPE): the narrowest that holds the
 * values, or a word where the core loads words faster. They lie side by side, so that [U | W] [h; x]
 * can be one product (RNN_JOINT). Then x is kept as x * 2^RNN_X_ALIGN, at the scale of the sums, and
 * with RNN_BIAS_COLUMN the bias is a last column, times the constant `one` = 2^RNN_B_ALIGN.
 *
 * Static: there is one network in an image. */
#ifndef RNN_VECTORS_H
#define RNN_VECTORS_H

#include "model_data.h"

#define RNN_ELEMENT_s8 int8_t
#define RNN_ELEMENT_s16 int16_t
#define RNN_ELEMENT_s32 int32_t
#define RNN_ELEMENT_(type) RNN_ELEMENT_##type
#define RNN_ELEMENT(type) RNN_ELEMENT_(type)

typedef RNN_ELEMENT(RNN_H_TYPE) rnn_state_t;
typedef RNN_ELEMENT(RNN_X_TYPE) rnn_input_t;

#define RNN_ONE_IN_X (RNN_BIAS_COLUMN && !RNN_W_RANK)

struct rnn_vectors {
    rnn_state_t h[RNN_HIDDEN];
    rnn_input_t x[RNN_INPUTS];
#if RNN_ONE_IN_X
    rnn_input_t one;
#endif
};

extern struct rnn_vectors rnn_vectors;

/* h = 0, x = 0: a new window. */
void rnn_vectors_reset(void);

#endif
