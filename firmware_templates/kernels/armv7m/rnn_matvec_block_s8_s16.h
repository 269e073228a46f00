/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_block_s8_s16.h -- acc = M v, or acc += M v, on ARMv7-M: four rows in a word.
 *
 * Storage   as ARMv6-M's block (kernels/armv6m/rnn_block.inc): byte k (0 to 2) of a word is w_k + 128,
 *           byte 3 is w_3; the words of a column side by side for two groups of four rows, a last
 *           single group by itself. Up to three words behind acc are overwritten.
 * Method    no weight is ever taken out of its word. With A_k = sum (word >> 8 k) v,
 *             s_3 = A_3,   s_k = A_k - 256 A_(k+1) - 128 sum of v      modulo 2^32,
 *           where the true sums fit (rnn_matvec.h): three shifts and four MLA for four weights.
 * Contract  shapes, scale and `add` as in rnn_matvec.h. Inline: rows, cols and add are constants.
 * Cost      16 instructions for eight weights and the loop: docs/kernels.md. */
#ifndef RNN_MATVEC_BLOCK_S8_S16_H
#define RNN_MATVEC_BLOCK_S8_S16_H

#include "rnn_flash.h"

#define RNN_BLOCK_UNROLL (RNN_UNROLL / 4)       /* columns: 8, or 2 */

/* Where a block of rows is: its next weights and element, and the sums A of its groups. */
struct rnn_block {
    const uint32_t *weights;
    const int16_t *v;
    uint32_t a[8];
};

/* A column of four rows. In assembly, as the compiler would move loads ahead and run out of registers:
 * eight sums, x, a word, one to shift it into and two addresses leave one. */
RNN_INLINE void rnn_block_group(struct rnn_block *at, uint32_t *a, int32_t x)
{
    uint32_t word, t;
    __asm__("ldr %[word], [%[w]], #4\n\t"
            "asrs %[t], %[word], #24\n\t"
            "mla %[a3], %[t], %[x], %[a3]\n\t"
            "asrs %[t], %[word], #16\n\t"
            "mla %[a2], %[t], %[x], %[a2]\n\t"
            "asrs %[t], %[word], #8\n\t"
            "mla %[a1], %[t], %[x], %[a1]\n\t"
            "mla %[a0], %[word], %[x], %[a0]\n\t"
            : [w] "+r"(at->weights), [word] "=&r"(word), [t] "=&r"(t), [a0] "+r"(a[0]),
              [a1] "+r"(a[1]), [a2] "+r"(a[2]), [a3] "+r"(a[3])
            : [x] "r"(x), "m"(*at->weights)
            : "cc");
}

RNN_INLINE void rnn_block_column(struct rnn_block *at, uint16_t groups)
{
    int32_t x = *at->v++;
    rnn_block_group(at, at->a, x);
    if (groups == 2)
        rnn_block_group(at, at->a + 4, x);
}

RNN_INLINE void rnn_block_store(int32_t *acc, const uint32_t a[4], uint32_t bias, uint8_t add)
{
    const uint32_t s[] = {a[0] - (a[1] << 8) - bias, a[1] - (a[2] << 8) - bias,
                          a[2] - (a[3] << 8) - bias, a[3]};
    acc[0] = (int32_t)(add ? s[0] + (uint32_t)acc[0] : s[0]);
    acc[1] = (int32_t)(add ? s[1] + (uint32_t)acc[1] : s[1]);
    acc[2] = (int32_t)(add ? s[2] + (uint32_t)acc[2] : s[2]);
    acc[3] = (int32_t)(add ? s[3] + (uint32_t)acc[3] : s[3]);
}

/* All columns of a matrix, RNN_BLOCK_UNROLL at a time. */
RNN_INLINE void rnn_block_columns(struct rnn_block *at, uint16_t groups, uint16_t cols)
{
    const uint16_t rest = cols % RNN_BLOCK_UNROLL;
    const int16_t *end = at->v + (cols - rest);
#define RNN_BLOCK_COLUMN(count, i) if ((count) > (i)) rnn_block_column(at, groups);
#define RNN_BLOCK_COLUMNS(count)                                                               \
    RNN_BLOCK_COLUMN(count, 0) RNN_BLOCK_COLUMN(count, 1) RNN_BLOCK_COLUMN(count, 2)           \
    RNN_BLOCK_COLUMN(count, 3) RNN_BLOCK_COLUMN(count, 4) RNN_BLOCK_COLUMN(count, 5)           \
    RNN_BLOCK_COLUMN(count, 6) RNN_BLOCK_COLUMN(count, 7)
    if (cols >= RNN_BLOCK_UNROLL)
        do {
            RNN_BLOCK_COLUMNS(RNN_BLOCK_UNROLL)
        } while (at->v != end);
    RNN_BLOCK_COLUMNS(rest)
}

/* 128 times the sum of v. */
RNN_INLINE uint32_t rnn_block_bias(const int16_t *v, uint16_t cols)
{
    int32_t sum = 0;
    const int16_t *end = v + cols / 4 * 4;
    for (; v != end; v += 4) {
        sum += v[0];
        sum += v[1];
        sum += v[2];
        sum += v[3];
    }
    if (cols & 2) {
        sum += v[0];
        sum += v[1];
        v += 2;
    }
    if (cols & 1)
        sum += *v;
    return (uint32_t)sum << 7;
}

/* One or two groups of four rows. Where the next begin. */
RNN_INLINE const uint32_t *rnn_block_rows(const uint32_t *weights, const int16_t *v, int32_t *acc,
                                          uint16_t groups, uint16_t cols, uint32_t bias, uint8_t add)
{
    struct rnn_block at = {weights, v, {0, 0, 0, 0, 0, 0, 0, 0}};
    rnn_block_columns(&at, groups, cols);
    rnn_block_store(acc, at.a, bias, add);
    if (groups == 2)
        rnn_block_store(acc + 4, at.a + 4, bias, add);
    return at.weights;
}

RNN_INLINE void rnn_matvec_block_s8_s16(const void *matrix, const int16_t *v, int32_t *acc,
                                        uint16_t rows, uint16_t cols, uint8_t add)
{
    const uint32_t *weights = matrix, bias = rnn_block_bias(v, cols);
    const uint16_t groups = (uint16_t)((rows + 3u) / 4u);
    for (const int32_t *end = acc + groups / 2 * 8; acc != end; acc += 8)
        weights = rnn_block_rows(weights, v, acc, 2, cols, bias, add);
    if (groups % 2)
        rnn_block_rows(weights, v, acc, 1, cols, bias, add);
}

/* acc = M v * 2^align + N w in one pass: cells/rnn_products.c. */
#define RNN_BOTH_block_block 1

RNN_INLINE void rnn_block_both_rows(const uint32_t **m, const int16_t *v, uint16_t v_cols,
                                    uint8_t align, const uint32_t **n, const int16_t *w,
                                    uint16_t w_cols, int32_t *acc, uint16_t groups, uint32_t bias)
{
    struct rnn_block at = {*m, v, {0, 0, 0, 0, 0, 0, 0, 0}};
    rnn_block_columns(&at, groups, v_cols);
    *m = at.weights;
    struct rnn_block on = {*n, w,
                           {at.a[0] << align, at.a[1] << align, at.a[2] << align, at.a[3] << align,
                            at.a[4] << align, at.a[5] << align, at.a[6] << align, at.a[7] << align}};
    rnn_block_columns(&on, groups, w_cols);
    *n = on.weights;
    rnn_block_store(acc, on.a, bias, 0);
    if (groups == 2)
        rnn_block_store(acc + 4, on.a + 4, bias, 0);
}

RNN_INLINE void rnn_both_block_s8_s16(const void *m, const int16_t *v, uint16_t v_cols, uint8_t align,
                                      const void *n, const int16_t *w, uint16_t w_cols, int32_t *acc,
                                      uint16_t rows)
{
    const uint32_t *at = m, *on = n;
    const uint32_t bias = (rnn_block_bias(v, v_cols) << align) + rnn_block_bias(w, w_cols);
    const uint16_t groups = (uint16_t)((rows + 3u) / 4u);
    for (const int32_t *end = acc + groups / 2 * 8; acc != end; acc += 8)
        rnn_block_both_rows(&at, v, v_cols, align, &on, w, w_cols, acc, 2, bias);
    if (groups % 2)
        rnn_block_both_rows(&at, v, v_cols, align, &on, w, w_cols, acc, 1, bias);
}

#endif
