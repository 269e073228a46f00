/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec.h -- the matrix-vector products, what they share, and how one is named.
 *
 *   rnn_matvec_<storage>_<weight>_<vector>(matrix, v, acc, rows, cols, add)
 *
 *   acc[r] = sum over c of M[r, c] * v[c]      for r in 0 .. rows - 1; added to acc[r] where `add`
 *
 * Naming, from left to right as in the formula: the operation, how the matrix is stored, the type of
 * a weight, the type of the vector's elements. The result is always s32.
 *
 *   matrix  int8 [rows, cols] in flash, in a storage; those that every core has are streams of bytes
 *             dense   rows * cols values, row major
 *             index   per row: count u8, then count times (column u8, value s8), columns rising;
 *                     needs cols <= 256 and at most 255 nonzeros in a row
 *             bitmap  per row: ceil(cols / 8) bytes, bit k of byte i set where column 8 i + k is
 *                     nonzero, then those values in column order
 *           A core may have more, each under a name of its own in kernels/<core>/ with its packing
 *           in harness/firmware/<core>.py. `code` is a function made from the matrix, without a
 *           kernel: harness/firmware/ascode.py
 *   v       s8, s16 or s32 [cols], in RAM
 *   acc     s32 [RNN_SUMS(rows)], in RAM: a kernel may need some words of room; v and acc do not
 *           overlap
 *
 * Scale     integers; the products carry frac(M) + frac(v) bits after the point.
 * Rounding  none. Zeros add nothing, so every storage gives the same integers.
 * Overflow  cannot happen for a QModel: |acc| + sum |M[r]| * max |v| < 2^31 is proved for every row
 *           when the model is read (docs/arithmetic.md, "No overflow"), and that sum bounds every
 *           partial sum in every order.
 * Memory    no static state, no scratch.
 *
 * A core replaces any of these files by a faster one of the same name and contract: the file of that
 * name, .c, .S or .h, in kernels/<core>/. harness/firmware/render.py copies what it finds there. */
#ifndef RNN_MATVEC_H
#define RNN_MATVEC_H

#define RNN_PASTE_(a, b, c, d) a##b##c##d
#define RNN_PASTE(a, b, c, d) RNN_PASTE_(a, b, c, d)

/* The product for a storage (dense, index, ...) and the type of v (s8, s16, s32). */
#define RNN_MATVEC(storage, type) RNN_PASTE(rnn_matvec_, storage, _s8_, type)

/* acc = M v * 2^align + N w, both matrices in one storage, where a core has a kernel for it: then it
 * defines RNN_BOTH_<storage>_<storage>. Arguments: M, v, its length, align, N, w, its length, acc,
 * rows. */
#define RNN_BOTH(storage, type) RNN_PASTE(rnn_both_, storage, _s8_, type)

/* Weights as code: the routine is the matrix. */
#define rnn_matvec_code_s8_s8(routine, v, acc, rows, cols, add) routine(v, acc)
#define rnn_matvec_code_s8_s16 rnn_matvec_code_s8_s8
#define rnn_matvec_code_s8_s32 rnn_matvec_code_s8_s8

/* Length of an array that takes the sums of so many rows. */
#define RNN_SUMS(rows) ((rows) + RNN_SUM_PAD)

/* The product with one matrix of the model, as model_data.h stores it. */
#define RNN_PRODUCT(matrix, v, acc, rows, cols, add) \
    RNN_MATVEC(RNN_##matrix##_STORAGE, RNN_##matrix##_VECTOR) \
    (RNN_##matrix##_DATA, v, acc, rows, cols, add)

#endif
