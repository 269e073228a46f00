/* SPDX-License-Identifier: MIT
 *
 * z and g are u8 at 2^8, or s16 at 2^13: with a tanh gate, for z in [-1, 1] and g in [0, 3], and in
 * long windows. */
#include "rnn_update_fastgrnn.h"

#include "rnn_index_s32_u8.h"
#include "rnn_mix_s16_s16.h"
#include "rnn_mix_u8_s16.h"
#include "rnn_products.h"
#include "rnn_state.h"

#if defined(RNN_OPTION_GATE_TANH) || defined(RNN_OPTION_WIDTH_WIDE)
#define LOAD_GATE RNN_LOAD_S16
#define MIX rnn_mix_s16_s16
#else
#define LOAD_GATE RNN_LOAD_U8
#define MIX rnn_mix_u8_s16
#endif

#define h (rnn_vectors.h)

void rnn_update_fastgrnn(int32_t *acc)
{
    for (uint16_t j = 0; j < RNN_HIDDEN; j++) {
        int32_t a = rnn_aligned(acc[j]);
        uint8_t gate = rnn_index_s32_u8(a + rnn_bias(rnn_model_b_z + j), RNN_Z_SHIFT);
        uint8_t candidate = rnn_index_s32_u8(a + rnn_bias(rnn_model_b_h + j), RNN_C_SHIFT);
        int16_t c = RNN_LOAD_S16(rnn_table_c + candidate);
        h[j] = rnn_sat_state(MIX(LOAD_GATE(rnn_table_g + gate), c,
                                 LOAD_GATE(rnn_table_z + gate), (int16_t)h[j]));
    }
}
