/* SPDX-License-Identifier: MIT
 *
 * GRU, gates in PyTorch's order r, z, n: n = tanh(W_n x + b_n + r (U_n h + b_hn)),
 * h' = (1 - z) n + z h.
 * Ref: Cho et al., EMNLP 2014, arXiv:1406.1078, in the form of torch.nn.GRU (reset after the
 * product). Twin: harness/reference/gru.py.
 *
 * r and z need the sum of both products, n needs them apart: whichever side comes first
 * (rnn_products.h) leaves its candidate term in `term`, and its rows are cleared for the other. */
#include "rnn_activation.h"
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_index_s32_u8.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_rshift_s32.h"
#include "rnn_state.h"

#define N_ROWS (2u * RNN_HIDDEN)        /* first row of the candidate */

#if RNN_W_FIRST
#define FIRST_BIAS(j) (rnn_model_b + N_ROWS + (j))
#define SECOND_BIAS(j) (rnn_model_b_hn + (j))
#else
#define FIRST_BIAS(j) (rnn_model_b_hn + (j))
#define SECOND_BIAS(j) (rnn_model_b + N_ROWS + (j))
#endif

#define h (rnn_vectors.h)

static int16_t term[RNN_HIDDEN];
static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
}

/* One side of the candidate of unit j, at the intermediate scale. */
RNN_PER_UNIT int16_t candidate_term(uint16_t j, const int8_t *bias)
{
    int32_t a = rnn_aligned(acc[N_ROWS + j]) + rnn_bias(bias);
    return rnn_sat_s32_s16(rnn_rshift_s32(a, RNN_MID_SHIFT), &rnn_counters.mid);
}

RNN_PER_UNIT uint8_t gate_index(uint16_t row)
{
    return rnn_activation_index(acc, row, RNN_Z_SHIFT);
}

void rnn_cell_step(void)
{
    rnn_product_first(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        term[j] = candidate_term(j, FIRST_BIAS(j));
        acc[N_ROWS + j] = 0;
    }
    rnn_product_second(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        uint8_t r = RNN_LOAD_U8(rnn_table_z + gate_index(j));
        uint8_t z = gate_index((uint16_t)(RNN_HIDDEN + j));
        int16_t other = candidate_term(j, SECOND_BIAS(j));
#if RNN_W_FIRST
        int16_t q = term[j], m = other;
#else
        int16_t q = other, m = term[j];
#endif
        int32_t a = q + ((rnn_gate_u8_s16(r, m) + 128) >> 8);
        int16_t n = RNN_LOAD_S16(rnn_table_c + rnn_index_s32_u8(a, RNN_C_SHIFT));
        h[j] = rnn_sat_state(rnn_mix_u8_s16(RNN_LOAD_U8(rnn_table_g + z), n,
                                            RNN_LOAD_U8(rnn_table_z + z), (int16_t)h[j]));
    }
}
