/* SPDX-License-Identifier: MIT
 *
 * LSTM, gates in PyTorch's order i, f, g, o: c' = f c + i g, h' = o tanh(c').
 * Ref: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997, in the form of torch.nn.LSTM.
 * Twin: harness/reference/lstm.py. The cell state is int16 whatever the width of h. */
#include "rnn_activation.h"
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_index_s32_u8.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_state.h"

#define h (rnn_vectors.h)

static int16_t cell[RNN_HIDDEN];
static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
    for (uint16_t j = 0; j < RNN_HIDDEN; j++)
        cell[j] = 0;
}

RNN_PER_UNIT uint8_t gate(uint16_t r)
{
    return RNN_LOAD_U8(rnn_table_z + rnn_activation_index(acc, r, RNN_Z_SHIFT));
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        uint8_t i = gate(RNN_ROW(0, j));
        uint8_t f = gate(RNN_ROW(1, j));
        uint8_t o = gate(RNN_ROW(3, j));
        uint8_t candidate = rnn_activation_index(acc, RNN_ROW(2, j), RNN_C_SHIFT);
        int16_t g = RNN_LOAD_S16(rnn_table_c + candidate);
        int16_t c = rnn_sat_s32_s16(rnn_mix_u8_s16(f, cell[j], i, g), &rnn_counters.state);
        int16_t tanh_c = RNN_LOAD_S16(rnn_table_tc + rnn_index_s32_u8(c, RNN_TC_SHIFT));
        cell[j] = c;
        h[j] = rnn_sat_state((rnn_gate_u8_s16(o, tanh_c) + 128) >> 8);
    }
}
