/* SPDX-License-Identifier: MIT
 *
 * rnn_update_fastgrnn.h -- FastGRNN's new state, from the sums of its products.
 *
 *   h[j] = sat(g c + z h[j])    z, g at the index of acc[j] + b_z[j], c at that of acc[j] + b_h[j]
 *
 *   acc  s32 [RNN_HIDDEN], what rnn_products left there; it may be overwritten
 *
 * h is rnn_vectors.h. Clamps are counted in rnn_counters.state. */
#ifndef RNN_UPDATE_FASTGRNN_H
#define RNN_UPDATE_FASTGRNN_H

#include <stdint.h>

void rnn_update_fastgrnn(int32_t *acc);

#endif
