/* SPDX-License-Identifier: MIT
 *
 * rnn_products.h -- W x and U h at one scale, the two products of every cell.
 *
 *   rnn_products(acc)    acc = W x * 2^w_align + U h * 2^u_align        [RNN_ROWS] s32
 *
 * Where the build says RNN_JOINT that is one product, [U | W] [h; x]; low rank, [U1 | W1] [tu; tw].
 * Else it is done in two halves, which a cell may also call to look at one side alone (GRU): the side
 * with the larger alignment comes first, is scaled to the other's scale, and the other is added.
 *
 *   rnn_product_first(acc)     acc = the first side
 *   rnn_product_second(acc)    acc += the other side
 *
 * After that one factor 2^RNN_COMMON_ALIGN is still missing: rnn_aligned(acc[r]) supplies it. It is
 * 0 where one of the alignments is 0, as in every model that harness/quantize.py makes.
 * rnn_preactivation(acc, r) adds the bias of row r as well, for cells with one bias a row.
 *
 * A cell without U (RNN_RECURRENT 0) has the first half only: acc = W x. W has RNN_INPUTS columns,
 * which is RNN_FEATURES unless the cell gathers more than one sample into x.
 *
 * Low rank (RNN_W_RANK, RNN_U_RANK not 0): the inner product goes through rshift by w_mid or u_mid
 * and a clamp to int16, counted in `mid`.
 * Overflow  proved per model; see docs/arithmetic.md. Memory: 6 to 8 bytes per unit of rank, static. */
#ifndef RNN_PRODUCTS_H
#define RNN_PRODUCTS_H

#include "model_data.h"

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

/* The row of unit j in a block of rows of W and U; RNN_INTERLEAVED, a unit's rows follow each other. */
#if RNN_INTERLEAVED
#define RNN_ROW(block, j) ((uint16_t)((j) * (RNN_ROWS / RNN_HIDDEN) + (block)))
#else
#define RNN_ROW(block, j) ((uint16_t)((block) * RNN_HIDDEN + (j)))
#endif

#ifndef __ASSEMBLER__

#include "rnn_matvec.h"
#include "rnn_scale_s32.h"
#include "rnn_vectors.h"

void rnn_products(int32_t *acc);

#if !RNN_JOINT
void rnn_product_first(int32_t *acc);
void rnn_product_second(int32_t *acc);
#endif

RNN_INLINE int32_t rnn_aligned(int32_t acc)
{
    return rnn_scale_s32(acc, RNN_COMMON_ALIGN);
}

/* A bias at the accumulators' scale. */
RNN_INLINE int32_t rnn_bias(const int8_t *bias)
{
    return rnn_scale_s32(RNN_LOAD_S8(bias), RNN_B_ALIGN);
}

#if RNN_BIAS_COLUMN
#define rnn_preactivation(acc, r) ((acc)[r])
#else
#define rnn_preactivation(acc, r) (rnn_aligned((acc)[r]) + rnn_bias(rnn_model_b + (r)))
#endif

#endif

#endif
