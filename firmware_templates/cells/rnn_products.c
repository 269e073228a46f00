/* SPDX-License-Identifier: MIT */
#include "rnn_products.h"

#include "rnn_narrow.h"

struct rnn_vectors rnn_vectors;

#define h_ (rnn_vectors.h)
#define x_ (rnn_vectors.x)

#if RNN_W_RANK || RNN_U_RANK

typedef RNN_ELEMENT(RNN_T_TYPE) rnn_inner_t;

/* Low rank's inner values; joint, those of U and then those of W, and last the constant 1. */
#if RNN_JOINT
#define INNER (RNN_U_RANK + RNN_W_RANK)
#else
#define INNER (RNN_U_RANK > RNN_W_RANK ? RNN_U_RANK : RNN_W_RANK)
#endif
static int32_t inner_acc[RNN_SUMS(INNER)];
static rnn_inner_t inner[INNER + RNN_BIAS_COLUMN];

#endif

void rnn_vectors_reset(void)
{
    for (uint16_t j = 0; j < RNN_HIDDEN; j++)
        h_[j] = 0;
    for (uint16_t d = 0; d < RNN_INPUTS; d++)
        x_[d] = 0;
#if RNN_ONE_IN_X
    rnn_vectors.one = (rnn_input_t)1 << RNN_B_ALIGN;
#elif RNN_BIAS_COLUMN
    inner[INNER] = (rnn_inner_t)1 << RNN_B_ALIGN;
#endif
}

#if RNN_JOINT

void rnn_products(int32_t *acc)
{
#if RNN_U_RANK
    RNN_PRODUCT(U2T, h_, inner_acc, RNN_U_RANK, RNN_HIDDEN, 0);
    RNN_PRODUCT(W2T, x_, inner_acc + RNN_U_RANK, RNN_W_RANK, RNN_INPUTS, 0);
    rnn_narrow(inner_acc, inner, RNN_U_RANK, RNN_U_MID, RNN_U_ALIGN);
    rnn_narrow(inner_acc + RNN_U_RANK, inner + RNN_U_RANK, RNN_W_RANK, RNN_W_MID, RNN_W_ALIGN);
    RNN_PRODUCT(U1W1, inner, acc, RNN_ROWS, INNER + RNN_BIAS_COLUMN, 0);
#else
    RNN_PRODUCT(UW, h_, acc, RNN_ROWS, RNN_HIDDEN + RNN_INPUTS + RNN_BIAS_COLUMN, 0);
#endif
}

#else

static void product_w(int32_t *acc, uint8_t add)
{
#if RNN_W_RANK
    RNN_PRODUCT(W2T, x_, inner_acc, RNN_W_RANK, RNN_INPUTS, 0);
    rnn_narrow(inner_acc, inner, RNN_W_RANK, RNN_W_MID, 0);
    RNN_PRODUCT(W1, inner, acc, RNN_ROWS, RNN_W_RANK, add);
#else
    RNN_PRODUCT(W, x_, acc, RNN_ROWS, RNN_INPUTS, add);
#endif
}

#if RNN_RECURRENT
static void product_u(int32_t *acc, uint8_t add)
{
#if RNN_U_RANK
    RNN_PRODUCT(U2T, h_, inner_acc, RNN_U_RANK, RNN_HIDDEN, 0);
    rnn_narrow(inner_acc, inner, RNN_U_RANK, RNN_U_MID, 0);
    RNN_PRODUCT(U1, inner, acc, RNN_ROWS, RNN_U_RANK, add);
#else
    RNN_PRODUCT(U, h_, acc, RNN_ROWS, RNN_HIDDEN, add);
#endif
}
#endif

void rnn_product_first(int32_t *acc)
{
#if RNN_W_FIRST
    product_w(acc, 0);
#else
    product_u(acc, 0);
#endif
#if RNN_FIRST_ALIGN
    for (uint16_t r = 0; r < RNN_ROWS; r++)
        acc[r] = rnn_scale_s32(acc[r], RNN_FIRST_ALIGN);
#endif
}

void rnn_product_second(int32_t *acc)
{
#if !RNN_RECURRENT
    (void)acc;
#elif RNN_W_FIRST
    product_u(acc, 1);
#else
    product_w(acc, 1);
#endif
}

void rnn_products(int32_t *acc)
{
    rnn_product_first(acc);
    rnn_product_second(acc);
}

#endif
