/* SPDX-License-Identifier: MIT
 *
 * FastGRNN: z = gate(Wx + Uh + b_z), c = tanh(Wx + Uh + b_h), h' = (zeta (1 - z) + nu) c + z h.
 * Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6).
 * Twin: harness/reference/fastgrnn.py. The factor of c is a table (g) on z's index. With a sigmoid
 * gate both are u8 at 2^8, with tanh s16 at 2^13, for z in [-1, 1] and g in [0, 3]. */
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_index_s32_u8.h"
#include "rnn_mix_s16_s16.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_state.h"

#if defined(RNN_OPTION_GATE_TANH)
#define LOAD_GATE RNN_LOAD_S16
#define MIX rnn_mix_s16_s16
#else
#define LOAD_GATE RNN_LOAD_U8
#define MIX rnn_mix_u8_s16
#endif

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
        int16_t c = RNN_LOAD_S16(rnn_table_c + candidate);
        h[j] = rnn_sat_state(MIX(LOAD_GATE(rnn_table_g + gate), c,
                                 LOAD_GATE(rnn_table_z + gate), h[j]));
    }
}

const rnn_state_t *rnn_cell_hidden(void)
{
    return h;
}
