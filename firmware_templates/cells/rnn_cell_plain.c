/* SPDX-License-Identifier: MIT
 *
 * The plain recurrent cell: h' = f(Wx + Uh + b), f one of
 *
 *   RNN_OPTION_ACTIVATION_TANH    a table at the scale of h
 *   RNN_OPTION_ACTIVATION_RELU    max(p, 0), p = the sum at the scale of h; clamped
 *   RNN_OPTION_ACTIVATION_LEAKY   p clamped, times 26/256 below zero
 *
 * It serves every cell whose U is multiplied out before quantisation (orthogonal, factored).
 * Twin: harness/reference/plain.py. */
#include "rnn_cell.h"
#include "rnn_index_s32_u8.h"
#include "rnn_products.h"
#include "rnn_rshift_s32.h"
#include "rnn_state.h"

#define LEAK 26

#define h (rnn_vectors.h)

static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
}

/* f of the pre-activation a. */
static rnn_state_t activation(int32_t a)
{
#if defined(RNN_OPTION_ACTIVATION_TANH)
    return rnn_sat_state(RNN_LOAD_S16(rnn_table_c + rnn_index_s32_u8(a, RNN_C_SHIFT)));
#elif defined(RNN_OPTION_ACTIVATION_RELU)
    int32_t p = rnn_rshift_s32(a, RNN_C_SHIFT);
    return rnn_sat_state(p >= 0 ? p : 0);
#elif defined(RNN_OPTION_ACTIVATION_LEAKY)
    rnn_state_t p = rnn_sat_state(rnn_rshift_s32(a, RNN_C_SHIFT));
    return p >= 0 ? p : (rnn_state_t)(((int32_t)LEAK * p + 128) >> 8);
#else
#error "no activation chosen"
#endif
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++)
        h[j] = activation(rnn_preactivation(acc, j));
}
