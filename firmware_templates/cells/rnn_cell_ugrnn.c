/* SPDX-License-Identifier: MIT
 *
 * UGRNN, row blocks z, c: z = sigmoid(.), c = tanh(.), h' = z h + (1 - z) c.
 * Ref: Collins, Sohl-Dickstein, Sussillo, ICLR 2017, arXiv:1611.09913.
 * Twin: harness/reference/ugrnn.py. 1 - z is a table (g) on z's index. */
#include "rnn_cell.h"
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

/* Pre-activation of row r. */
static int32_t activation(uint16_t r)
{
    return rnn_aligned(acc[r]) + rnn_bias(rnn_model_b + r);
}

void rnn_cell_step(const int8_t *x)
{
    rnn_product_first(x, h, acc);
    rnn_product_second(x, h, acc);
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        uint8_t gate = rnn_index_s32_u8(activation(j), RNN_Z_SHIFT);
        int32_t a_c = activation((uint16_t)(RNN_HIDDEN + j));
        int16_t c = RNN_LOAD_S16(rnn_table_c + rnn_index_s32_u8(a_c, RNN_C_SHIFT));
        h[j] = rnn_sat_state(rnn_mix_u8_s16(RNN_LOAD_U8(rnn_table_g + gate), c,
                                            RNN_LOAD_U8(rnn_table_z + gate), h[j]));
    }
}

const rnn_state_t *rnn_cell_hidden(void)
{
    return h;
}
