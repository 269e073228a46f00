/* SPDX-License-Identifier: MIT
 *
 * EURNN: p = Uh + Wx, h' = p / |p| relu(|p| + b) for complex units; the first half of h are their
 * real parts, the second their imaginary parts, and U is the product of the rotations, multiplied
 * out.
 * Ref: Jing et al., ICML 2017, arXiv:1612.05231; modReLU: Arjovsky et al., arXiv:1511.06464.
 * Twin: harness/reference/eurnn.py. */
#include "rnn_cell.h"
#include "rnn_counters.h"
#include "rnn_modrelu_s16.h"
#include "rnn_products.h"
#include "rnn_rshift_s32.h"
#include "rnn_state.h"

#define UNITS (RNN_HIDDEN / 2)

#define h (rnn_vectors.h)

static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
}

/* One part of p, at the scale of h. */
static int16_t part(uint16_t r)
{
    return rnn_sat_s32_s16(rnn_rshift_s32(rnn_aligned(acc[r]), RNN_OUT_SHIFT), &rnn_counters.mid);
}

/* The bias of unit j, at the scale of h; too large a bias is clamped, uncounted. */
static int16_t bias(uint16_t j)
{
    uint32_t uncounted = 0;
    return rnn_sat_s32_s16(rnn_rshift_s32(rnn_bias(rnn_model_b + j), RNN_OUT_SHIFT), &uncounted);
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    for (uint16_t j = 0; j < UNITS; j++) {
        int16_t re = part(j), im = part((uint16_t)(UNITS + j));
        uint16_t gain = rnn_modrelu_gain(re, im, bias(j), rnn_table_r);
        h[j] = rnn_sat_state(rnn_modrelu_apply(re, gain));
        h[UNITS + j] = rnn_sat_state(rnn_modrelu_apply(im, gain));
    }
}
