/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_dense_s8_s16.S -- acc = M v or acc += M v on an AVR, a row at a time. Contract: the
 * portable file of this name. A model's classifier; the cell's products are rnn_products.S. */
#include "rnn_matvec_rows_avr.h"

    matvec_rows rnn_matvec_dense_s8_s16, 2
