/* SPDX-License-Identifier: MIT
 *
 * QRNN: gates from the last one or two inputs, no recurrent matrix, then pooling over time.
 *
 *   z = tanh(W_z v), f, o, i = sigmoid(W_. v)     v = [x before; x] (WIDTH_K2) or x (WIDTH_K1)
 *
 *   RNN_OPTION_POOLING_F      h' = f h + (1 - f) z
 *   RNN_OPTION_POOLING_FO     c' = f c + (1 - f) z, h' = o c'
 *   RNN_OPTION_POOLING_IFO    c' = f c + i z,       h' = o c'
 *
 * Ref: Bradbury et al., ICLR 2017, arXiv:1611.01576, section 2.
 * Twin: harness/reference/qrnn.py. The pooled c is int16 whatever the width of h. */
#include "rnn_activation.h"
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_rshift_s32.h"
#include "rnn_state.h"

/* First row of each block of W. */
#define F_ROWS (1u * RNN_HIDDEN)
#define O_ROWS (2u * RNN_HIDDEN)
#define I_ROWS (3u * RNN_HIDDEN)

#define h (rnn_vectors.h)

#ifndef RNN_OPTION_POOLING_F
static int16_t cell[RNN_HIDDEN];
#endif
static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
#ifndef RNN_OPTION_POOLING_F
    for (uint16_t j = 0; j < RNN_HIDDEN; j++)
        cell[j] = 0;
#endif
}

static uint8_t gate_index(uint16_t r)
{
    return rnn_activation_index(acc, r, RNN_Z_SHIFT);
}

/* f * old + (1 - f, or the input gate) * candidate, of unit j. */
static int32_t pooled(uint16_t j, int16_t old)
{
    int16_t z = RNN_LOAD_S16(rnn_table_c + rnn_activation_index(acc, j, RNN_C_SHIFT));
    uint8_t forget = gate_index((uint16_t)(F_ROWS + j));
#ifdef RNN_OPTION_POOLING_IFO
    uint8_t in = RNN_LOAD_U8(rnn_table_z + gate_index((uint16_t)(I_ROWS + j)));
#else
    uint8_t in = RNN_LOAD_U8(rnn_table_g + forget);
#endif
    return rnn_mix_u8_s16(in, z, RNN_LOAD_U8(rnn_table_z + forget), old);
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
#ifdef RNN_OPTION_POOLING_F
        h[j] = rnn_sat_state(pooled(j, (int16_t)h[j]));
#else
        uint8_t o = RNN_LOAD_U8(rnn_table_z + gate_index((uint16_t)(O_ROWS + j)));
        cell[j] = rnn_sat_s32_s16(pooled(j, cell[j]), &rnn_counters.state);
        h[j] = rnn_sat_state(rnn_rshift_s32(rnn_gate_u8_s16(o, cell[j]), RNN_O_SHIFT));
#endif
    }
#ifdef RNN_OPTION_WIDTH_K2
    /* The input stage writes the second half; what is there now comes before the next. */
    for (uint16_t d = 0; d < RNN_FEATURES; d++)
        rnn_vectors.x[d] = rnn_vectors.x[RNN_FEATURES + d];
#endif
}
