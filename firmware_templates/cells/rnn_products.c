/* SPDX-License-Identifier: MIT */
#include "rnn_products.h"

#include "rnn_narrow.h"

struct rnn_vectors rnn_vectors;

#define h_ (rnn_vectors.h)
#define x_ (rnn_vectors.x)

/* What the last product of each side is: with W and x, or low rank with W1 and inner values. */
#if RNN_W_RANK
#define LAST_W(fact) RNN_W1_##fact
#define W_COLS RNN_W_RANK
#define W_VECTOR (inner + W_PLACE)
#else
#define LAST_W(fact) RNN_W_##fact
#define W_COLS RNN_INPUTS
#define W_VECTOR x_
#endif
#if RNN_U_RANK
#define LAST_U(fact) RNN_U1_##fact
#define U_COLS RNN_U_RANK
#define U_VECTOR inner
#else
#define LAST_U(fact) RNN_U_##fact
#define U_COLS RNN_HIDDEN
#define U_VECTOR h_
#endif

/* Whether the core has a kernel for both sides in one pass, with sums that stay in its registers. */
#define BOTH_(w, u) RNN_BOTH_##w##_##u
#define BOTH_OF(w, u) BOTH_(w, u)
#if RNN_RECURRENT && !RNN_JOINT && BOTH_OF(LAST_W(STORAGE), LAST_U(STORAGE))
#define BOTH 1
#define W_PLACE RNN_U_RANK
#else
#define BOTH 0
#define W_PLACE 0
#endif

#if RNN_W_RANK || RNN_U_RANK

typedef RNN_ELEMENT(RNN_T_TYPE) rnn_inner_t;

/* Low rank's inner values; of both sides at once, those of U and then those of W; joint, last the
 * constant 1. */
#if RNN_JOINT || BOTH
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

/* acc = the product, or acc += it. */
#define LAST_PRODUCT(last, v, acc, cols, add) \
    RNN_MATVEC(last(STORAGE), last(VECTOR))(last(DATA), v, acc, RNN_ROWS, cols, add)

/* Low rank: the inner values of a side. */
static void prepare_w(void)
{
#if RNN_W_RANK
    RNN_PRODUCT(W2T, x_, inner_acc, RNN_W_RANK, RNN_INPUTS, 0);
    rnn_narrow(inner_acc, W_VECTOR, RNN_W_RANK, RNN_W_MID, 0);
#endif
}

static void product_w(int32_t *acc, uint8_t add)
{
    prepare_w();
    LAST_PRODUCT(LAST_W, W_VECTOR, acc, W_COLS, add);
}

#if RNN_RECURRENT
static void prepare_u(void)
{
#if RNN_U_RANK
    RNN_PRODUCT(U2T, h_, inner_acc, RNN_U_RANK, RNN_HIDDEN, 0);
    rnn_narrow(inner_acc, U_VECTOR, RNN_U_RANK, RNN_U_MID, 0);
#endif
}

static void product_u(int32_t *acc, uint8_t add)
{
    prepare_u();
    LAST_PRODUCT(LAST_U, U_VECTOR, acc, U_COLS, add);
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

#if BOTH

void rnn_products(int32_t *acc)
{
    prepare_w();
    prepare_u();
#if RNN_W_FIRST
    RNN_BOTH(LAST_W(STORAGE), LAST_W(VECTOR))
    (LAST_W(DATA), W_VECTOR, W_COLS, RNN_FIRST_ALIGN, LAST_U(DATA), U_VECTOR, U_COLS, acc, RNN_ROWS);
#else
    RNN_BOTH(LAST_U(STORAGE), LAST_U(VECTOR))
    (LAST_U(DATA), U_VECTOR, U_COLS, RNN_FIRST_ALIGN, LAST_W(DATA), W_VECTOR, W_COLS, acc, RNN_ROWS);
#endif
}

#else

void rnn_products(int32_t *acc)
{
    rnn_product_first(acc);
    rnn_product_second(acc);
}

#endif

#endif
