/* SPDX-License-Identifier: MIT
 *
 * rnn_cell.h -- one recurrent cell. A build compiles exactly one of the rnn_cell_*.c
 * beside it; its sizes, shifts and weights come from the generated model_data.h.
 *
 * The arithmetic is docs/arithmetic.md, sections 2 to 4: integers only, equal bit for bit to
 * harness/reference/. The state is static: there is one network in an image. */
#ifndef RNN_CELL_H
#define RNN_CELL_H

#include "model_data.h"

/* The hidden state's element. */
#if RNN_STATE_BITS == 16
typedef int16_t rnn_state_t;
#else
typedef int8_t rnn_state_t;
#endif

/* State of a new window: all zero. */
void rnn_cell_reset(void);

/* One time step: x int8 [RNN_FEATURES], the output of the input stage. */
void rnn_cell_step(const int8_t *x);

/* The hidden state after the last step: [RNN_HIDDEN]. */
const rnn_state_t *rnn_cell_hidden(void);

#endif
