/* SPDX-License-Identifier: MIT
 *
 * rnn_products.h -- W x and U h at one scale, the two products of every cell.
 *
 *   acc = W x * 2^w_align + U h * 2^u_align        [RNN_ROWS] s32
 *
 * in two halves, so that a cell can look at one side alone (GRU): the side with the larger
 * alignment comes first, is scaled to the other's scale, and the other is added to it.
 *
 *   rnn_product_first(x, h, acc)    acc = the first side
 *   rnn_product_second(x, h, acc)   acc += the other side
 *
 * After both, and for the look in between, one factor 2^RNN_COMMON_ALIGN is still missing:
 * rnn_aligned(acc[r]) supplies it. It is 0 where one of the alignments is 0, as in every model that
 * harness/quantize.py makes.
 *
 * A cell without U (RNN_RECURRENT 0) has the first half only: acc = W x. W has RNN_INPUTS columns,
 * which is RNN_FEATURES unless the cell gathers more than one sample into x.
 *
 * Low rank (RNN_W_RANK, RNN_U_RANK not 0): the inner product goes through rshift by w_mid or u_mid
 * and a clamp to int16, counted in `mid`.
 * Overflow  proved per model; see docs/arithmetic.md. Memory: 6 bytes per unit of rank, static. */
#ifndef RNN_PRODUCTS_H
#define RNN_PRODUCTS_H

#include "rnn_cell.h"
#include "rnn_scale_s32.h"

#if !RNN_RECURRENT
#define RNN_U_ALIGN 0
#endif

#if RNN_W_ALIGN >= RNN_U_ALIGN
#define RNN_W_FIRST 1
#define RNN_COMMON_ALIGN RNN_U_ALIGN
#define RNN_FIRST_ALIGN (RNN_W_ALIGN - RNN_U_ALIGN)
#else
#define RNN_W_FIRST 0
#define RNN_COMMON_ALIGN RNN_W_ALIGN
#define RNN_FIRST_ALIGN (RNN_U_ALIGN - RNN_W_ALIGN)
#endif

void rnn_product_first(const int8_t *x, const rnn_state_t *h, int32_t *acc);
void rnn_product_second(const int8_t *x, const rnn_state_t *h, int32_t *acc);

RNN_INLINE int32_t rnn_aligned(int32_t acc)
{
    return rnn_scale_s32(acc, RNN_COMMON_ALIGN);
}

/* A bias at the accumulators' scale. */
RNN_INLINE int32_t rnn_bias(const int8_t *bias)
{
    return rnn_scale_s32(RNN_LOAD_S8(bias), RNN_B_ALIGN);
}

#endif
