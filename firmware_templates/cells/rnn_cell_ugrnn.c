/* SPDX-License-Identifier: MIT
 *
 * UGRNN, row blocks z, c: z = sigmoid(.), c = tanh(.), h' = z h + (1 - z) c.
 * Ref: Collins, Sohl-Dickstein, Sussillo, ICLR 2017, arXiv:1611.09913.
 * Twin: harness/reference/ugrnn.py. 1 - z is a table (g) on z's index. */
#include "rnn_activation.h"
#include "rnn_cell.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_state.h"

#define h (rnn_vectors.h)

static int32_t acc[RNN_SUMS(RNN_ROWS)];

void rnn_cell_reset(void)
{
    rnn_vectors_reset();
}

void rnn_cell_step(void)
{
    rnn_products(acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        uint8_t gate = rnn_activation_index(acc, RNN_ROW(0, j), RNN_Z_SHIFT);
        uint8_t candidate = rnn_activation_index(acc, RNN_ROW(1, j), RNN_C_SHIFT);
        int16_t c = RNN_LOAD_S16(rnn_table_c + candidate);
        h[j] = rnn_sat_state(rnn_mix_u8_s16(RNN_LOAD_U8(rnn_table_g + gate), c,
                                            RNN_LOAD_U8(rnn_table_z + gate), (int16_t)h[j]));
    }
}
