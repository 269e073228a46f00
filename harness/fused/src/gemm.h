// Y = (Y +) sum over segments of A B, for matrices of a few dozen rows and columns.
//
// One register-blocked loop serves every product of the kernel. A's element (row, k) lies at
// a[row * kRowStride + k * k_stride]: with a constant row stride the compiler folds all of a
// block's addresses into displacements, and with stride 1 the same code multiplies by A transposed.
// Columns come in whole vectors; B's and Y's rows are padded to them.
#pragma once

#include "vec.h"

struct Segment {
  const float *a;
  long k_stride;
  const float *b;  // [depth][b_stride]
  long b_stride;
  long depth;
};

struct Product {
  float *y;  // [rows][y_stride]
  long y_stride;
  bool add;  // to y, at the end: so long sums come in parts and round less
  const Segment *segments;
  int count;
};

// R rows times C vectors of columns, all accumulators in registers.
template <int kRowStride, int R, int C>
static void block(const Product &p, long row, long column) {
  Vec sum[R][C];
#pragma GCC unroll 32
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) sum[r][c] = Vec{};
  for (int s = 0; s < p.count; s++) {
    const Segment &segment = p.segments[s];
    const float *a = segment.a + row * kRowStride;
    const float *b = segment.b + column;
    for (long k = 0; k < segment.depth; k++) {
      Vec right[C];
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) right[c] = load(b + c * kWidth);
#pragma GCC unroll 32
      for (int r = 0; r < R; r++) {
        const Vec left = all(a[r * kRowStride]);
#pragma GCC unroll 8
        for (int c = 0; c < C; c++) sum[r][c] += left * right[c];
      }
      a += segment.k_stride;
      b += segment.b_stride;
    }
  }
  const bool add = p.add;
  const long stride = p.y_stride;
  float *const y = p.y + row * stride + column;
#pragma GCC unroll 32
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
      float *const to = y + r * stride + c * kWidth;
      store(to, add ? load(to) + sum[r][c] : sum[r][c]);
    }
}

static constexpr int most_rows(int columns) {
  const int rows = kAccumulators / columns;
  return rows < 12 ? rows : 12;  // more chains than the latency of a multiply-add hides nothing
}

// Pieces of n, none above `most`, as even as can be.
struct Even {
  long n, pieces;
  Even(long n, long most) : n(n), pieces((n + most - 1) / most) {}
  long start(long piece) const { return n * piece / pieces; }
};

template <int kRowStride, int C, int R>
static void rows_of(const Product &p, long row, long rows, long column) {
  if (rows == R) return block<kRowStride, R, C>(p, row, column);
  if constexpr (R > 1) rows_of<kRowStride, C, R - 1>(p, row, rows, column);
}

template <int kRowStride, int C>
static void columns_of(const Product &p, long rows, long column, int columns) {
  if (columns == C) {
    const Even pieces(rows, most_rows(C));
    for (long i = 0; i < pieces.pieces; i++) {
      const long row = pieces.start(i);
      rows_of<kRowStride, C, most_rows(C)>(p, row, pieces.start(i + 1) - row, column);
    }
    return;
  }
  if constexpr (C > 1) columns_of<kRowStride, C - 1>(p, rows, column, columns);
}

// `columns` in floats, a multiple of kWidth
template <int kRowStride>
static void multiply(const Product &p, long rows, long columns) {
  const Even pieces(columns / kWidth, kMaxColumns);
  for (long i = 0; i < pieces.pieces; i++) {
    const long first = pieces.start(i);
    columns_of<kRowStride, kMaxColumns>(p, rows, first * kWidth, int(pieces.start(i + 1) - first));
  }
}
