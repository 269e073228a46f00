/* SPDX-License-Identifier: MIT
 *
 * LSTM, gates in PyTorch's order i, f, g, o: c' = f c + i g, h' = o tanh(c').
 * Ref: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997, in the form of torch.nn.LSTM.
 * Twin: harness/reference/lstm.py. The cell state is int16 whatever the width of h. */
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_index_s32_u8.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_state.h"

static rnn_state_t h[RNN_HIDDEN];
static int16_t cell[RNN_HIDDEN];
static int32_t acc[RNN_ROWS];

void rnn_cell_reset(void)
{
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        h[j] = 0;
        cell[j] = 0;
    }
}

/* Pre-activation of row r. */
static int32_t activation(uint16_t r)
{
    return rnn_aligned(acc[r]) + rnn_bias(rnn_model_b + r);
}

static uint8_t gate(uint16_t r)
{
    return RNN_LOAD_U8(rnn_table_z + rnn_index_s32_u8(activation(r), RNN_Z_SHIFT));
}

void rnn_cell_step(const int8_t *x)
{
    rnn_product_first(x, h, acc);
    rnn_product_second(x, h, acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        uint8_t i = gate(j);
        uint8_t f = gate((uint16_t)(RNN_HIDDEN + j));
        int32_t a_g = activation((uint16_t)(2u * RNN_HIDDEN + j));
        uint8_t o = gate((uint16_t)(3u * RNN_HIDDEN + j));
        int16_t g = RNN_LOAD_S16(rnn_table_c + rnn_index_s32_u8(a_g, RNN_C_SHIFT));
        int16_t c = rnn_sat_s32_s16(rnn_mix_u8_s16(f, cell[j], i, g), &rnn_counters.state);
        int16_t tanh_c = RNN_LOAD_S16(rnn_table_tc + rnn_index_s32_u8(c, RNN_TC_SHIFT));
        cell[j] = c;
        h[j] = rnn_sat_state((rnn_gate_u8_s16(o, tanh_c) + 128) >> 8);
    }
}

const rnn_state_t *rnn_cell_hidden(void)
{
    return h;
}
