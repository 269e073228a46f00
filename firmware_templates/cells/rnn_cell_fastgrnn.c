/* SPDX-License-Identifier: MIT
 *
 * FastGRNN: z = gate(Wx + Uh + b_z), c = tanh(Wx + Uh + b_h), h' = (zeta (1 - z) + nu) c + z h.
 * Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6).
 * Twin: harness/reference/fastgrnn.py. The factor of c is a table (g) on z's index. */
#include "rnn_cell.h"
#include "rnn_products.h"
#include "rnn_update_fastgrnn.h"

static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    rnn_update_fastgrnn(acc);
}
