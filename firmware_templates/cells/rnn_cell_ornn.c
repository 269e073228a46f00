/* SPDX-License-Identifier: MIT
 *
 * oRNN: h' = leaky_relu(Wx + Uh + b), slope 26/256 below zero; U is the product of the Householder
 * reflections, multiplied out.
 * Ref: Mhammedi et al., ICML 2017, arXiv:1612.00188.
 * Twin: harness/reference/ornn.py. */
#include "rnn_cell.h"
#include "rnn_products.h"
#include "rnn_rshift_s32.h"
#include "rnn_state.h"

#define LEAK 26

static rnn_state_t h[RNN_HIDDEN];
static int32_t acc[RNN_ROWS];

void rnn_cell_reset(void)
{
    for (uint16_t j = 0; j < RNN_HIDDEN; j++)
        h[j] = 0;
}

void rnn_cell_step(const int8_t *x)
{
    rnn_product_first(x, h, acc);
    rnn_product_second(x, h, acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        int32_t a = rnn_aligned(acc[j]) + rnn_bias(rnn_model_b + j);
        rnn_state_t p = rnn_sat_state(rnn_rshift_s32(a, RNN_OUT_SHIFT));
        h[j] = p >= 0 ? p : (rnn_state_t)(((int32_t)LEAK * p + 128) >> 8);
    }
}

const rnn_state_t *rnn_cell_hidden(void)
{
    return h;
}
