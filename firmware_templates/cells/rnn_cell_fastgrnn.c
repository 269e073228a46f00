/* SPDX-License-Identifier: MIT
 *
 * FastGRNN: z = sigmoid(Wx + Uh + b_z), c = tanh(Wx + Uh + b_h), h' = (zeta (1 - z) + nu) c + z h.
 * Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6).
 * Twin: harness/reference/fastgrnn.py. The factor of c is a table (g) on z's index. */
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_index_s32_u8.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_state.h"

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
        int32_t a = rnn_aligned(acc[j]);
        uint8_t gate = rnn_index_s32_u8(a + rnn_bias(rnn_model_b_z + j), RNN_Z_SHIFT);
        uint8_t candidate = rnn_index_s32_u8(a + rnn_bias(rnn_model_b_h + j), RNN_C_SHIFT);
        int32_t next = rnn_mix_u8_s16(RNN_LOAD_U8(rnn_table_g + gate),
                                      RNN_LOAD_S16(rnn_table_c + candidate),
                                      RNN_LOAD_U8(rnn_table_z + gate), h[j]);
        h[j] = rnn_sat_state(next);
    }
}

const rnn_state_t *rnn_cell_hidden(void)
{
    return h;
}
