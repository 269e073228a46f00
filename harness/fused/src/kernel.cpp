// The training kernel's C interface. See docs/training-kernel.md.
//
// Everything is float32 and row-major. x [B, T, ...] is given with its strides in floats; W
// [G H, D] and U [G H, H] have G blocks of rows; params are P addresses, each of [H] or, where `one`
// is not 0, of a single number. The caller owns all memory and asks `fused_sizes` how much; nothing
// is kept between calls or allocated, and the order of every sum is fixed.

#include <type_traits>

#include "sequence.h"

enum { kOk = 0, kBadArgument = 1 };

// Calls f with a null pointer to the cell's type; the numbers are those of ../library.py.
template <class F>
static int with_cell(int64_t cell, F f) {
  switch (cell) {
    case 0: return f((FastGRNN<Sigmoid> *)nullptr);
    case 1: return f((FastRNN<Tanh> *)nullptr);
    case 2: return f((FastRNN<Sigmoid> *)nullptr);
    case 3: return f((FastRNN<Relu> *)nullptr);
    case 4: return f((RNN<Tanh> *)nullptr);
    case 5: return f((RNN<Relu> *)nullptr);
    case 6: return f((UGRNN *)nullptr);
    case 7: return f((GRU *)nullptr);
    case 8: return f((LSTM *)nullptr);
    case 9: return f((QRNN *)nullptr);
    case 10: return f((FastGRNN<Tanh> *)nullptr);
    case 11: return f((RNN<Leaky> *)nullptr);
    default: return kBadArgument;
  }
}

static bool fits(const Shape &s) {
  return s.batch > 0 && s.steps > 0 && s.features > 0 && s.hidden > 0 && s.features <= kMaxUnits &&
         s.hidden <= kMaxUnits;
}

extern "C" {

struct Sizes {
  int64_t saved, forward_scratch, backward_scratch;  // in floats
};

// shape: batch, steps, features, hidden, stride of a window of x, stride of a step of x
int fused_sizes(int64_t cell, const int64_t *shape, int64_t keep, Sizes *sizes) {
  const Shape s = {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  if (!fits(s)) return kBadArgument;
  return with_cell(cell, [&](auto *type) {
    using S = Sequence<std::remove_pointer_t<decltype(type)>>;
    Arena forward{nullptr}, backward{nullptr};
    typename S::Forward f(forward, s);
    typename S::Backward b(backward, s);
    *sizes = {S::saved_floats(s, keep), forward.used, backward.used};
    return int(kOk);
  });
}

// keep: whether `saved` is to serve a fused_backward. u may be null for a cell without it.
int fused_forward(int64_t cell, const int64_t *shape, int64_t keep, const float *x, const float *w,
                  const float *u, const float *const *params, const int64_t *one, float *h_last,
                  float *saved, float *scratch) {
  const Shape s = {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  if (!fits(s)) return kBadArgument;
  return with_cell(cell, [&](auto *type) {
    using S = Sequence<std::remove_pointer_t<decltype(type)>>;
    S::forward(s, x, w, u, {params, one}, h_last, saved, keep, scratch);
    return int(kOk);
  });
}

// Sets d_w, d_u and d_params; adds to d_x, in the strides of x, unless it is null.
int fused_backward(int64_t cell, const int64_t *shape, const float *x, const float *w,
                   const float *u, const float *const *params, const int64_t *one,
                   const float *saved, const float *d_h_last, float *d_w, float *d_u,
                   float *const *d_params, float *d_x, float *scratch) {
  const Shape s = {shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
  if (!fits(s)) return kBadArgument;
  return with_cell(cell, [&](auto *type) {
    using S = Sequence<std::remove_pointer_t<decltype(type)>>;
    S::backward(s, x, w, u, {params, one}, saved, d_h_last, d_w, d_u, d_params, d_x, scratch);
    return int(kOk);
  });
}

// For the tests: tanh or sigmoid of n values, n a multiple of 16.
void fused_map(int64_t is_tanh, int64_t n, const float *from, float *to) {
  for (int64_t i = 0; i < n; i += kWidth) {
    const Vec v = load(from + i);
    store(to + i, is_tanh ? tanh(v) : sigmoid(v));
  }
}
}
