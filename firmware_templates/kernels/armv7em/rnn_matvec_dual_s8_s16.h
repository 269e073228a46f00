/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_dual_s8_s16.h -- acc = M v, or acc += M v, on ARMv7E-M: two rows in a halfword.
 *
 * Storage   words; a halfword is p + 128 + 256 q for the weights p and q of two rows in one column, a
 *           word two columns. The words of two columns lie side by side for four pairs of rows, the
 *           last 1 to 3 pairs of a matrix by themselves. Rows and columns are padded with zeros to
 *           even counts, so one word behind acc may be overwritten. Packing:
 *           harness/firmware/armv7m.py.
 * Method    SMLAD multiplies both columns at once. With A = sum word * v and B = sum (word >> 8) * v,
 *             sum of q = B,   sum of p = A - 256 B - 128 sum of v      modulo 2^32,
 *           where the true sums fit (rnn_matvec.h): four multiplications in two SMLAD and one SXTB16.
 * Contract  shapes, scale and `add` as in rnn_matvec.h. Inline: rows, cols and add are constants.
 * Cost      17 instructions for 16 weights and the loop: docs/kernels.md. */
#ifndef RNN_MATVEC_DUAL_S8_S16_H
#define RNN_MATVEC_DUAL_S8_S16_H

#include "rnn_dsp.h"

#define RNN_DUAL_PAIRS 4
#define RNN_DUAL_UNROLL (RNN_UNROLL / 4)        /* 8 words of two columns, or 2 */

/* Where a block of rows is: its next weights and elements, and A and B of its pairs. */
struct rnn_dual {
    const uint32_t *weights;
    const int16_t *v;
    uint32_t a[RNN_DUAL_PAIRS], b[RNN_DUAL_PAIRS];
};

/* Two columns, for one to four pairs of rows. In assembly for LDRD: one cycle less than two loads, and
 * the thirteen registers that it takes are all that the compiler has. */
#define RNN_DUAL_PAIR(word, a, b)                                                              \
    "smlad %[" a "], %[" word "], %[x], %[" a "]\n\t"                                          \
    "sxtb16 %[" word "], %[" word "], ror #8\n\t"                                              \
    "smlad %[" b "], %[" word "], %[x], %[" b "]\n\t"

RNN_INLINE void rnn_dual_pairs(struct rnn_dual *at, uint32_t x, uint16_t pairs)
{
    uint32_t p, q;
    if (pairs >= 2)
        __asm__("ldrd %[p], %[q], [%[w]], #8\n\t"
                RNN_DUAL_PAIR("p", "a0", "b0") RNN_DUAL_PAIR("q", "a1", "b1")
                : [w] "+r"(at->weights), [p] "=&r"(p), [q] "=&r"(q), [a0] "+r"(at->a[0]),
                  [b0] "+r"(at->b[0]), [a1] "+r"(at->a[1]), [b1] "+r"(at->b[1])
                : [x] "r"(x), "m"(*(const uint32_t(*)[2])at->weights));
    if (pairs == 4)
        __asm__("ldrd %[p], %[q], [%[w]], #8\n\t"
                RNN_DUAL_PAIR("p", "a0", "b0") RNN_DUAL_PAIR("q", "a1", "b1")
                : [w] "+r"(at->weights), [p] "=&r"(p), [q] "=&r"(q), [a0] "+r"(at->a[2]),
                  [b0] "+r"(at->b[2]), [a1] "+r"(at->a[3]), [b1] "+r"(at->b[3])
                : [x] "r"(x), "m"(*(const uint32_t(*)[2])at->weights));
    if (pairs % 2) {
        p = *at->weights++;
        at->a[pairs - 1] = rnn_smlad(p, x, at->a[pairs - 1]);
        at->b[pairs - 1] = rnn_smlad(rnn_sxtb16_odd(p), x, at->b[pairs - 1]);
    }
}

RNN_INLINE void rnn_dual_word(struct rnn_dual *at, uint16_t pairs)
{
    uint32_t x = rnn_two(at->v);
    at->v += 2;
    rnn_dual_pairs(at, x, pairs);
}

/* All columns of a matrix, RNN_DUAL_UNROLL words at a time. */
RNN_INLINE void rnn_dual_columns(struct rnn_dual *at, uint16_t pairs, uint16_t cols)
{
    const uint16_t words = cols / 2, rest = words % RNN_DUAL_UNROLL;
    const int16_t *end = at->v + 2 * (words - rest);
#define RNN_DUAL_WORD(count, i) if ((count) > (i)) rnn_dual_word(at, pairs);
#define RNN_DUAL_WORDS(count)                                                                  \
    RNN_DUAL_WORD(count, 0) RNN_DUAL_WORD(count, 1) RNN_DUAL_WORD(count, 2)                    \
    RNN_DUAL_WORD(count, 3) RNN_DUAL_WORD(count, 4) RNN_DUAL_WORD(count, 5)                    \
    RNN_DUAL_WORD(count, 6) RNN_DUAL_WORD(count, 7)
    if (words >= RNN_DUAL_UNROLL)
        do {
            RNN_DUAL_WORDS(RNN_DUAL_UNROLL)
        } while (at->v != end);
    RNN_DUAL_WORDS(rest)
    if (cols % 2)
        rnn_dual_pairs(at, (uint16_t)*at->v, pairs);
}

RNN_INLINE void rnn_dual_store(int32_t *acc, uint32_t a, uint32_t b, uint32_t bias, uint8_t add)
{
    uint32_t p = a - (b << 8) - bias;
    acc[0] = (int32_t)(add ? p + (uint32_t)acc[0] : p);
    acc[1] = (int32_t)(add ? b + (uint32_t)acc[1] : b);
}

RNN_INLINE void rnn_dual_store_all(int32_t *acc, const struct rnn_dual *at, uint16_t pairs,
                                   uint32_t bias, uint8_t add)
{
    rnn_dual_store(acc, at->a[0], at->b[0], bias, add);
    if (pairs > 1)
        rnn_dual_store(acc + 2, at->a[1], at->b[1], bias, add);
    if (pairs > 2)
        rnn_dual_store(acc + 4, at->a[2], at->b[2], bias, add);
    if (pairs > 3)
        rnn_dual_store(acc + 6, at->a[3], at->b[3], bias, add);
}

/* sum + v[0] + v[1]. */
RNN_INLINE uint32_t rnn_dual_two(uint32_t sum, const int16_t *v)
{
    return rnn_smlad(rnn_two(v), 0x00010001u, sum);
}

/* 128 times the sum of v. */
RNN_INLINE uint32_t rnn_dual_bias(const int16_t *v, uint16_t cols)
{
    uint32_t sum = 0;
    const int16_t *end = v + cols / 8 * 8;
    for (; v != end; v += 8) {
        sum = rnn_dual_two(sum, v);
        sum = rnn_dual_two(sum, v + 2);
        sum = rnn_dual_two(sum, v + 4);
        sum = rnn_dual_two(sum, v + 6);
    }
    if (cols & 4) {
        sum = rnn_dual_two(sum, v);
        sum = rnn_dual_two(sum, v + 2);
        v += 4;
    }
    if (cols & 2) {
        sum = rnn_dual_two(sum, v);
        v += 2;
    }
    if (cols & 1)
        sum += (uint32_t)*v;
    return sum << 7;
}

RNN_INLINE const uint32_t *rnn_dual_rows(const uint32_t *weights, const int16_t *v, int32_t *acc,
                                         uint16_t pairs, uint16_t cols, uint32_t bias, uint8_t add)
{
    struct rnn_dual at = {weights, v, {0, 0, 0, 0}, {0, 0, 0, 0}};
    rnn_dual_columns(&at, pairs, cols);
    rnn_dual_store_all(acc, &at, pairs, bias, add);
    return at.weights;
}

RNN_INLINE void rnn_matvec_dual_s8_s16(const void *matrix, const int16_t *v, int32_t *acc,
                                       uint16_t rows, uint16_t cols, uint8_t add)
{
    const uint32_t *weights = matrix, bias = rnn_dual_bias(v, cols);
    const uint16_t pairs = (uint16_t)((rows + 1u) / 2u), last = pairs % RNN_DUAL_PAIRS;
    const int32_t *end = acc + 2 * (pairs - last);
    for (; acc != end; acc += 2 * RNN_DUAL_PAIRS)
        weights = rnn_dual_rows(weights, v, acc, RNN_DUAL_PAIRS, cols, bias, add);
    if (last)
        rnn_dual_rows(weights, v, acc, last, cols, bias, add);
}

/* acc = M v * 2^align + N w in one pass: cells/rnn_products.c. */
#define RNN_BOTH_dual_dual 1

RNN_INLINE void rnn_dual_both_rows(const uint32_t **m, const int16_t *v, uint16_t v_cols,
                                   uint8_t align, const uint32_t **n, const int16_t *w,
                                   uint16_t w_cols, int32_t *acc, uint16_t pairs, uint32_t bias)
{
    struct rnn_dual at = {*m, v, {0, 0, 0, 0}, {0, 0, 0, 0}};
    rnn_dual_columns(&at, pairs, v_cols);
    *m = at.weights;
    struct rnn_dual on = {*n, w,
                          {at.a[0] << align, at.a[1] << align, at.a[2] << align, at.a[3] << align},
                          {at.b[0] << align, at.b[1] << align, at.b[2] << align, at.b[3] << align}};
    rnn_dual_columns(&on, pairs, w_cols);
    *n = on.weights;
    rnn_dual_store_all(acc, &on, pairs, bias, 0);
}

RNN_INLINE void rnn_both_dual_s8_s16(const void *m, const int16_t *v, uint16_t v_cols, uint8_t align,
                                     const void *n, const int16_t *w, uint16_t w_cols, int32_t *acc,
                                     uint16_t rows)
{
    const uint32_t *at = m, *on = n;
    const uint32_t bias = (rnn_dual_bias(v, v_cols) << align) + rnn_dual_bias(w, w_cols);
    const uint16_t pairs = (uint16_t)((rows + 1u) / 2u), last = pairs % RNN_DUAL_PAIRS;
    const int32_t *end = acc + 2 * (pairs - last);
    for (; acc != end; acc += 2 * RNN_DUAL_PAIRS)
        rnn_dual_both_rows(&at, v, v_cols, align, &on, w, w_cols, acc, RNN_DUAL_PAIRS, bias);
    if (last)
        rnn_dual_both_rows(&at, v, v_cols, align, &on, w, w_cols, acc, last, bias);
}

#endif
