/* SPDX-License-Identifier: MIT
 *
 * rnn_input.h -- the input stage: raw samples to the network's input, docs/arithmetic.md section 1.
 *
 *   raw  int16 [RNN_FEATURES], counts of raw_step
 *
 * Writes the newest RNN_FEATURES elements of rnn_vectors.x; clamps are counted in
 * rnn_counters.input. */
#ifndef RNN_INPUT_H
#define RNN_INPUT_H

#include <stdint.h>

void rnn_input(const int16_t *raw);

#endif
