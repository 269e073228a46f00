/* SPDX-License-Identifier: MIT
 *
 * FastRNN: c = act(Wx + Uh + b), h' = alpha c + beta h, alpha and beta for all units or per unit.
 * Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (2) and tables 13 to 15.
 * Twin: harness/reference/fastrnn.py.
 *
 * beta is int16 at frac RNN_MIX_SHIFT. With one alpha and a table, the table holds alpha act(a) at
 * the scale of h; else alpha is int16 too, at the scale that aligns the products. ReLU's c has a
 * scale of its own and is clamped to int16 (`mid`).
 * Overflow  |alpha c + beta h| < 2^31 is proved per model (`update` in docs/arithmetic.md). */
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_index_s32_u8.h"
#include "rnn_products.h"
#include "rnn_rshift_s32.h"
#include "rnn_sat_s32_s16.h"
#include "rnn_state.h"

#if defined(RNN_OPTION_FORM_VECTOR)
#define UNIT(j) (j)
#else
#define UNIT(j) 0
#endif

#define h (rnn_vectors.h)

static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
}

/* act of the pre-activation a; in the scalar form with a table, alpha times that. */
static int16_t candidate(int32_t a)
{
#if defined(RNN_OPTION_ACTIVATION_RELU)
    int32_t c = rnn_rshift_s32(a, RNN_C_SHIFT);
    return rnn_sat_s32_s16(c >= 0 ? c : 0, &rnn_counters.mid);
#else
    return RNN_LOAD_S16(rnn_table_c + rnn_index_s32_u8(a, RNN_C_SHIFT));
#endif
}

/* The state of unit j after one step, not yet clamped. */
static int32_t updated(uint16_t j, int16_t c)
{
    int32_t kept = (int32_t)RNN_LOAD_S16(rnn_model_beta + UNIT(j)) * h[j];
#if defined(RNN_OPTION_FORM_SCALAR) && !defined(RNN_OPTION_ACTIVATION_RELU)
    return c + rnn_rshift_s32(kept, RNN_MIX_SHIFT);
#else
    int32_t fed = (int32_t)RNN_LOAD_S16(rnn_model_alpha + UNIT(j)) * c;
    return rnn_rshift_s32(fed + kept, RNN_MIX_SHIFT);
#endif
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        int32_t a = rnn_preactivation(acc, j);
        h[j] = rnn_sat_state(updated(j, candidate(a)));
    }
}
