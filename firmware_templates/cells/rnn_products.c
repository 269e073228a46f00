/* SPDX-License-Identifier: MIT */
#include "rnn_products.h"

#include "rnn_counters.h"
#include "rnn_matvec.h"
#include "rnn_rshift_s32.h"
#include "rnn_sat_s32_s16.h"

#define LARGER(a, b) ((a) > (b) ? (a) : (b))

#if RNN_W_RANK || RNN_U_RANK
#define MAX_RANK LARGER(RNN_W_RANK, RNN_U_RANK)
static int32_t inner_acc[MAX_RANK];
static int16_t inner[MAX_RANK];

static void clear(int32_t *acc, uint16_t size)
{
    for (uint16_t i = 0; i < size; i++)
        acc[i] = 0;
}
#endif

static void product_w(const int8_t *x, int32_t *acc)
{
#if RNN_W_RANK
    clear(inner_acc, RNN_W_RANK);
    RNN_MATVEC(RNN_W2T_STORAGE, s8)(rnn_model_W2T, x, inner_acc, RNN_W_RANK, RNN_INPUTS);
    for (uint16_t i = 0; i < RNN_W_RANK; i++)
        inner[i] = rnn_sat_s32_s16(rnn_rshift_s32(inner_acc[i], RNN_W_MID), &rnn_counters.mid);
    RNN_MATVEC(RNN_W1_STORAGE, s16)(rnn_model_W1, inner, acc, RNN_ROWS, RNN_W_RANK);
#else
    RNN_MATVEC(RNN_W_STORAGE, s8)(rnn_model_W, x, acc, RNN_ROWS, RNN_INPUTS);
#endif
}

#if RNN_RECURRENT
static void product_u(const rnn_state_t *h, int32_t *acc)
{
#if RNN_U_RANK
    clear(inner_acc, RNN_U_RANK);
    RNN_MATVEC(RNN_U2T_STORAGE, RNN_STATE_TYPE)
    (rnn_model_U2T, h, inner_acc, RNN_U_RANK, RNN_HIDDEN);
    for (uint16_t i = 0; i < RNN_U_RANK; i++)
        inner[i] = rnn_sat_s32_s16(rnn_rshift_s32(inner_acc[i], RNN_U_MID), &rnn_counters.mid);
    RNN_MATVEC(RNN_U1_STORAGE, s16)(rnn_model_U1, inner, acc, RNN_ROWS, RNN_U_RANK);
#else
    RNN_MATVEC(RNN_U_STORAGE, RNN_STATE_TYPE)(rnn_model_U, h, acc, RNN_ROWS, RNN_HIDDEN);
#endif
}
#endif

void rnn_product_first(const int8_t *x, const rnn_state_t *h, int32_t *acc)
{
    for (uint16_t r = 0; r < RNN_ROWS; r++)
        acc[r] = 0;
#if RNN_W_FIRST
    (void)h;
    product_w(x, acc);
#else
    (void)x;
    product_u(h, acc);
#endif
#if RNN_FIRST_ALIGN
    for (uint16_t r = 0; r < RNN_ROWS; r++)
        acc[r] = rnn_scale_s32(acc[r], RNN_FIRST_ALIGN);
#endif
}

#if RNN_RECURRENT
void rnn_product_second(const int8_t *x, const rnn_state_t *h, int32_t *acc)
{
#if RNN_W_FIRST
    (void)x;
    product_u(h, acc);
#else
    (void)h;
    product_w(x, acc);
#endif
}
#endif
