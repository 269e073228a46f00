// The loops around a cell: a tile of windows goes through all its steps, forward or backward.
//
// Windows are independent, so a tile's state stays in the first-level cache and its
// pre-activations never leave it. Units lie along the vectors, their number H padded to `width`;
// pads compute with zero weights, get zero gradients and are never read as the left operand.
//
// What backward needs lies in `saved` [tile][T + 1][rows][states, saved values][width]; step t
// reads its states before from t and everything else from t + 1.
#pragma once

#include "cells.h"
#include "gemm.h"

constexpr long kMaxUnits = 512;        // H and D
constexpr long kRow = kMaxUnits + 16;  // of a left operand: 33 cache lines, which spreads the rows
constexpr long kTileRows = 32;
constexpr long kChunkRows = 128;  // steps times windows whose dU and dW are added up at once

struct Shape {
  long batch, steps, features, hidden;
  long x_batch, x_step;  // strides of x; windows of a QRNN overlap, so x_step may be below features

  static long padded(long n) { return (n + kWidth - 1) / kWidth * kWidth; }
  long width() const { return padded(hidden); }
};

// Hands out pieces of the caller's scratch memory; with a null base only counts them.
struct Arena {
  float *base;
  long used = 0;
  float *take(long floats) {
    float *piece = base ? base + used : nullptr;
    used += (floats + 15) / 16 * 16;
    return piece;
  }
};

static void zero(float *to, long n) { memset(to, 0, n * sizeof(float)); }

// [rows][cols] -> [rows][stride], the rest of each row zero
static void pad(float *to, long stride, const float *from, long rows, long cols) {
  for (long r = 0; r < rows; r++) {
    memcpy(to + r * stride, from + r * cols, cols * sizeof(float));
    zero(to + r * stride + cols, stride - cols);
  }
}

// One vector over the units for each of a cell's params; where `one`, a single number for all.
struct Params {
  const float *const *values;
  const int64_t *one;

  void spread(float *to, long count, long units, long width) const {
    for (long i = 0; i < count; i++) {
      for (long j = 0; j < units; j++) to[i * width + j] = values[i][one[i] ? 0 : j];
      zero(to + i * width + units, width - units);
    }
  }

  void gather(float *const *gradients, const float *from, long count, long units,
              long width) const {
    for (long i = 0; i < count; i++, from += width) {
      double sum = 0.0;
      for (long j = 0; one[i] && j < units; j++) sum += from[j];
      if (one[i]) *gradients[i] = float(sum);
      else memcpy(gradients[i], from, units * sizeof(float));
    }
  }
};

// m [blocks * units][cols] -> [cols][blocks][width], pads zero
static void pack(float *to, const float *m, long blocks, long units, long width, long cols) {
  zero(to, cols * blocks * width);
  for (long g = 0; g < blocks; g++)
    for (long j = 0; j < units; j++)
      for (long k = 0; k < cols; k++)
        to[(k * blocks + g) * width + j] = m[(g * units + j) * cols + k];
}

static void unpack(float *m, const float *from, long blocks, long units, long width, long cols) {
  for (long g = 0; g < blocks; g++)
    for (long j = 0; j < units; j++)
      for (long k = 0; k < cols; k++)
        m[(g * units + j) * cols + k] = from[(k * blocks + g) * width + j];
}

static INLINE void copy_row(float *to, const float *from, long n) {
  long i = 0;
  for (; i + 4 <= n; i += 4) memcpy(to + i, from + i, 16);
  for (; i < n; i++) to[i] = from[i];
}

template <class Cell>
struct Sequence {
  static constexpr int kGates = Cell::kBlocks + Cell::kSplit;  // blocks of rows in W and in U
  static constexpr int kSums = Cell::kBlocks + 2 * Cell::kSplit;
  static constexpr int kItems = Cell::kStates + Cell::kSaved;
  // Room for arrays that may be empty.
  static constexpr int kRoom = Cell::kSaved ? Cell::kSaved : 1;

  static long saved_floats(const Shape &s, bool keep) {
    return s.batch * (keep ? s.steps + 1 : 2) * kItems * s.width();
  }

  // Block g of W goes into sum g. The split block of U goes into the last sum instead.
  static constexpr int sum_of_u(int g) { return g < Cell::kBlocks ? g : Cell::kBlocks + 1; }

  struct Forward {
    float *w, *u, *params, *h, *x, *sums;
    Forward(Arena &arena, const Shape &s) {
      w = arena.take(s.features * kGates * s.width());
      u = arena.take(s.hidden * kGates * s.width());
      params = arena.take(Cell::kParams * s.width());
      h = arena.take(kTileRows * kRow);
      x = arena.take(kTileRows * kRow);
      sums = arena.take(kTileRows * kSums * s.width());
    }
  };

  static void forward(const Shape &s, const float *x, const float *w, const float *u,
                      Params params, float *h_last, float *saved, bool keep, float *scratch) {
    const long width = s.width(), item = kItems * width;
    Arena arena{scratch};
    const Forward f(arena, s);
    pack(f.w, w, kGates, s.hidden, width, s.features);
    if (Cell::kRecurrent) pack(f.u, u, kGates, s.hidden, width, s.hidden);
    params.spread(f.params, Cell::kParams, s.hidden, width);

    const Even tiles(s.batch, kTileRows);
    for (long tile = 0; tile < tiles.pieces; tile++) {
      const long first = tiles.start(tile), rows = tiles.start(tile + 1) - first;
      const long slot = rows * item;
      float *const states = saved + first * (keep ? s.steps + 1 : 2) * item;
      zero(f.h, kTileRows * kRow);
      for (long r = 0; r < rows; r++) zero(states + r * item, Cell::kStates * width);
      float *now = states;
      for (long t = 0; t < s.steps; t++) {
        const float *before = states + (keep ? t : t & 1) * slot;
        now = states + (keep ? t + 1 : (t + 1) & 1) * slot;
        for (long r = 0; r < rows; r++)
          copy_row(f.x + r * kRow, x + (first + r) * s.x_batch + t * s.x_step, s.features);
        pre_activations(s, f, rows);
        for (long j = 0; j < width; j += kWidth) {
          Vec p[Cell::kParams];
          for (int i = 0; i < Cell::kParams; i++) p[i] = load(f.params + i * width + j);
          for (long r = 0; r < rows; r++) {
            Vec a[kSums], old[Cell::kStates], fresh[Cell::kStates], kept[kRoom];
            for (int i = 0; i < kSums; i++) a[i] = load(f.sums + (r * kSums + i) * width + j);
            const float *const from = before + r * item + j;
            for (int i = 0; i < Cell::kStates; i++) old[i] = load(from + i * width);
            Cell::forward(a, p, old, fresh, kept);
            store(f.h + r * kRow + j, fresh[0]);
            float *to = now + r * item + j;
            for (int i = 0; i < Cell::kStates; i++, to += width) store(to, fresh[i]);
            for (int i = 0; keep && i < Cell::kSaved; i++, to += width) store(to, kept[i]);
          }
        }
      }
      for (long r = 0; r < rows; r++)
        memcpy(h_last + (first + r) * s.hidden, now + r * item, s.hidden * sizeof(float));
    }
  }

  static void pre_activations(const Shape &s, const Forward &f, long rows) {
    const long width = s.width(), across = kGates * width;
    const Segment both[] = {{f.h, 1, f.u, across, Cell::kRecurrent ? s.hidden : 0},
                            {f.x, 1, f.w, across, s.features}};
    multiply<kRow>({f.sums, kSums * width, false, both, 2}, rows, Cell::kBlocks * width);
    if (Cell::kSplit) {
      const long block = Cell::kBlocks * width;
      const Segment from_x = {f.x, 1, f.w + block, across, s.features};
      const Segment from_h = {f.h, 1, f.u + block, across, s.hidden};
      float *const sums = f.sums + block;
      multiply<kRow>({sums, kSums * width, false, &from_x, 1}, rows, width);
      multiply<kRow>({sums + width, kSums * width, false, &from_h, 1}, rows, width);
    }
  }

  struct Backward {
    float *w, *u, *params, *d_w, *d_u, *d_params, *d, *e, *x, *d_x;
    Backward(Arena &arena, const Shape &s) {
      const long width = s.width();
      w = arena.take(kGates * s.hidden * Shape::padded(s.features));
      u = arena.take(kGates * s.hidden * width);
      params = arena.take(Cell::kParams * width);
      d_w = arena.take(s.features * kGates * width);
      d_u = arena.take(s.hidden * kGates * width);
      d_params = arena.take(Cell::kParams * width);
      d = arena.take(kTileRows * Cell::kStates * width);
      e = arena.take(kSums * kChunkRows * kRow);
      x = arena.take(kChunkRows * s.features);
      d_x = arena.take(kTileRows * Shape::padded(s.features));
    }
  };

  // d_x [batch][steps][...], in the strides of x, is added to; may be null.
  static void backward(const Shape &s, const float *x, const float *w, const float *u,
                       Params params, const float *saved, const float *d_h_last, float *d_w,
                       float *d_u, float *const *d_params, float *d_x, float *scratch) {
    const long width = s.width(), item = kItems * width;
    Arena arena{scratch};
    const Backward b(arena, s);
    if (d_x) pad(b.w, Shape::padded(s.features), w, kGates * s.hidden, s.features);
    if (Cell::kRecurrent) pad(b.u, width, u, kGates * s.hidden, s.hidden);
    params.spread(b.params, Cell::kParams, s.hidden, width);
    zero(b.d_w, s.features * kGates * width);
    zero(b.d_u, s.hidden * kGates * width);
    zero(b.d_params, Cell::kParams * width);

    const Even tiles(s.batch, kTileRows);
    for (long tile = 0; tile < tiles.pieces; tile++) {
      const long first = tiles.start(tile), rows = tiles.start(tile + 1) - first;
      const float *const states = saved + first * (s.steps + 1) * item;
      zero(b.d, rows * Cell::kStates * width);
      for (long r = 0; r < rows; r++)
        memcpy(b.d + r * Cell::kStates * width, d_h_last + (first + r) * s.hidden,
               s.hidden * sizeof(float));
      const long chunk = kChunkRows / rows;
      for (long end = s.steps; end > 0;) {
        const long begin = end > chunk ? end - chunk : 0;
        for (long t = end - 1; t >= begin; t--) {
          float *const e = b.e + (t - begin) * rows * kRow;
          step(s, b, states + t * rows * item, e, rows);
          if (d_x) add_d_x(s, b, e, d_x + first * s.x_batch + t * s.x_step, rows);
          if (Cell::kRecurrent && t > 0) through_u(s, b, e, rows);
        }
        for (long t = begin; t < end; t++)
          for (long r = 0; r < rows; r++)
            copy_row(b.x + ((t - begin) * rows + r) * s.features,
                     x + (first + r) * s.x_batch + t * s.x_step, s.features);
        add_weights(s, b, states + begin * rows * item, (end - begin) * rows);
        end = begin;
      }
    }
    unpack(d_w, b.d_w, kGates, s.hidden, width, s.features);
    if (Cell::kRecurrent) unpack(d_u, b.d_u, kGates, s.hidden, width, s.hidden);
    params.gather(d_params, b.d_params, Cell::kParams, s.hidden, width);
  }

  // e of one step from d, d of the states before without the way through U, and dL/dp
  static void step(const Shape &s, const Backward &b, const float *before, float *e, long rows) {
    const long width = s.width(), item = kItems * width;
    const float *const now = before + rows * item;
    for (long j = 0; j < width; j += kWidth) {
      Vec p[Cell::kParams], d_p[Cell::kParams];
      for (int i = 0; i < Cell::kParams; i++) {
        p[i] = load(b.params + i * width + j);
        d_p[i] = Vec{};
      }
      for (long r = 0; r < rows; r++) {
        Vec d[Cell::kStates], old[Cell::kStates], fresh[Cell::kStates], kept[kRoom];
        Vec out[kSums], carry[Cell::kStates];
        float *const d_row = b.d + r * Cell::kStates * width + j;
        for (int i = 0; i < Cell::kStates; i++) {
          d[i] = load(d_row + i * width);
          old[i] = load(before + r * item + i * width + j);
          fresh[i] = load(now + r * item + i * width + j);
        }
        for (int i = 0; i < Cell::kSaved; i++)
          kept[i] = load(now + r * item + (Cell::kStates + i) * width + j);
        Cell::backward(d, p, old, fresh, kept, out, carry, d_p);
        for (int i = 0; i < kSums; i++) store(e + i * kChunkRows * kRow + r * kRow + j, out[i]);
        for (int i = 0; i < Cell::kStates; i++) store(d_row + i * width, carry[i]);
      }
      for (int i = 0; i < Cell::kParams; i++) {
        float *const to = b.d_params + i * width + j;
        store(to, load(to) + d_p[i]);
      }
    }
  }

  // d of h += e U
  static void through_u(const Shape &s, const Backward &b, const float *e, long rows) {
    const long width = s.width(), d_row = Cell::kStates * width;
    Segment segments[kGates];
    for (int g = 0; g < kGates; g++)
      segments[g] = {e + sum_of_u(g) * kChunkRows * kRow, 1, b.u + g * s.hidden * width, width,
                     s.hidden};
    multiply<kRow>({b.d, d_row, true, segments, kGates}, rows, width);
  }

  static void add_d_x(const Shape &s, const Backward &b, const float *e, float *d_x, long rows) {
    const long across = Shape::padded(s.features);
    Segment segments[kGates];
    for (int g = 0; g < kGates; g++)
      segments[g] = {e + g * kChunkRows * kRow, 1, b.w + g * s.hidden * across, across, s.hidden};
    multiply<kRow>({b.d_x, across, false, segments, kGates}, rows, across);
    for (long r = 0; r < rows; r++)
      for (long k = 0; k < s.features; k++) d_x[r * s.x_batch + k] += b.d_x[r * across + k];
  }

  // dL/dW += e^T x and dL/dU += e^T h over the rows of a chunk
  static void add_weights(const Shape &s, const Backward &b, const float *before, long n) {
    const long width = s.width(), across = kGates * width;
    for (int g = 0; g < kGates; g++) {
      float *const d_w = b.d_w + g * width;
      const Segment x = {b.x, s.features, b.e + g * kChunkRows * kRow, kRow, n};
      multiply<1>({d_w, across, true, &x, 1}, s.features, width);
      if (Cell::kRecurrent) {
        float *const d_u = b.d_u + g * width;
        const float *const e = b.e + sum_of_u(g) * kChunkRows * kRow;
        const Segment h = {before, kItems * width, e, kRow, n};
        multiply<1>({d_u, across, true, &h, 1}, s.hidden, width);
      }
    }
  }
};
