/* SPDX-License-Identifier: MIT
 *
 * rnn_cell.h -- one recurrent cell. A build compiles exactly one of the rnn_cell_*.c
 * beside it; its sizes, shifts and weights come from the generated model_data.h.
 *
 * The arithmetic is docs/arithmetic.md, sections 2 to 4: integers only, equal bit for bit to
 * harness/reference/. x and h are in rnn_vectors.h. */
#ifndef RNN_CELL_H
#define RNN_CELL_H

#include "rnn_vectors.h"

/* State of a new window: all zero. */
void rnn_cell_reset(void);

/* One time step: reads rnn_vectors.x, the output of the input stage, and makes the next
 * rnn_vectors.h. */
void rnn_cell_step(void);

#endif
