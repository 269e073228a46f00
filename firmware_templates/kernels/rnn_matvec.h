/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec.h -- the matrix-vector products, what they share, and how one is named.
 *
 *   acc[r] += sum over c of M[r, c] * v[c]      for r in 0 .. rows - 1
 *
 *   matrix  int8 [rows, cols] in flash, in one of three storages, one stream of bytes each:
 *             dense   rows * cols values, row major
 *             index   per row: count u8, then count times (column u8, value s8), columns rising;
 *                     needs cols <= 256 and at most 255 nonzeros in a row
 *             bitmap  per row: ceil(cols / 8) bytes, bit k of byte i set where column 8 i + k is
 *                     nonzero, then those values in column order
 *   v       s8 or s16 [cols], in RAM
 *   acc     s32 [rows], in RAM; the caller clears it or leaves an earlier sum there
 *
 * Scale     integers; the products carry frac(M) + frac(v) bits after the point.
 * Rounding  none. Zeros add nothing, so every storage gives the same integers.
 * Overflow  cannot happen for a QModel: |acc| + sum |M[r]| * max |v| < 2^31 is proved for every row
 *           when the model is read (docs/arithmetic.md, "No overflow"), and that sum bounds every
 *           partial sum in every order.
 * Memory    no static state, no scratch; v and acc do not overlap.
 *
 * A core may replace any of these files by a faster one of the same name and contract. */
#ifndef RNN_MATVEC_H
#define RNN_MATVEC_H

#include "rnn_matvec_bitmap_s8_s16.h"
#include "rnn_matvec_bitmap_s8_s8.h"
#include "rnn_matvec_dense_s8_s16.h"
#include "rnn_matvec_dense_s8_s8.h"
#include "rnn_matvec_index_s8_s16.h"
#include "rnn_matvec_index_s8_s8.h"

#define RNN_PASTE_(a, b, c, d) a##b##c##d
#define RNN_PASTE(a, b, c, d) RNN_PASTE_(a, b, c, d)

/* The product for a storage (dense, index, bitmap) and the type of v (s8, s16). */
#define RNN_MATVEC(storage, type) RNN_PASTE(rnn_matvec_, storage, _s8_, type)

#endif
