// The cells: what one unit does in one step, and its gradient. The loops around are in sequence.h.
//
//   kBlocks    pre-activations a = W x + U h per unit
//   kSplit     whether one more, the last, keeps W x and U h apart: a[kBlocks], a[kBlocks + 1]
//   kRecurrent whether there is a U
//   kParams    vectors over the units: biases and scalars, in the order of harness/fused/cells.py
//   kStates    s[0] = h, and what else goes from step to step
//   kSaved     values that forward leaves for backward
//
// backward gets d = dL/ds of the states after the step, and sets e = dL/da, carry = dL/ds of the
// states before it less what comes through U. It adds to dp = dL/dp.
#pragma once

#include "vec.h"

// A non-linearity, and its slope from its value.
struct Tanh {
  static INLINE Vec value(Vec a) { return tanh(a); }
  static INLINE Vec slope(Vec v) { return 1.0f - v * v; }
};
struct Sigmoid {
  static INLINE Vec value(Vec a) { return sigmoid(a); }
  static INLINE Vec slope(Vec v) { return v * (1.0f - v); }
};
struct Relu {
  static INLINE Vec value(Vec a) { return a < Vec{} ? Vec{} : a; }
  static INLINE Vec slope(Vec v) { return v > Vec{} ? all(1.0f) : Vec{}; }
};
struct Leaky {  // slope 26/256 below 0, as the integer cell has it
  static INLINE Vec value(Vec a) { return a < Vec{} ? 0.1015625f * a : a; }
  static INLINE Vec slope(Vec v) { return v > Vec{} ? all(1.0f) : all(0.1015625f); }
};

// Ref: Kusupati et al., NeurIPS 2018, arXiv:1901.02358, eq. (6).
// z = gate(a + b_z), c = tanh(a + b_h), h' = (zeta (1 - z) + nu) c + z h
template <class Gate>
struct FastGRNN {
  static constexpr int kBlocks = 1, kParams = 4, kStates = 1, kSaved = 2;
  static constexpr bool kSplit = false, kRecurrent = true;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *s, Vec *s_new, Vec *saved) {
    const Vec z = Gate::value(a[0] + p[0]), c = tanh(a[0] + p[1]);
    s_new[0] = z * (s[0] - p[2] * c) + (p[2] + p[3]) * c;
    saved[0] = z;
    saved[1] = c;
  }

  static INLINE void backward(const Vec *d, const Vec *p, const Vec *s, const Vec *,
                              const Vec *saved, Vec *e, Vec *carry, Vec *dp) {
    const Vec z = saved[0], c = saved[1], not_z = 1.0f - z, dc = d[0] * c;
    const Vec e_z = d[0] * (s[0] - p[2] * c) * Gate::slope(z);
    const Vec e_c = d[0] * (p[2] * not_z + p[3]) * (1.0f - c * c);
    e[0] = e_z + e_c;
    carry[0] = d[0] * z;
    dp[0] += e_z;
    dp[1] += e_c;
    dp[2] += dc * not_z;
    dp[3] += dc;
  }
};

// Ref: the same, eq. (2). c = f(a + b), h' = alpha c + beta h
template <class F>
struct FastRNN {
  static constexpr int kBlocks = 1, kParams = 3, kStates = 1, kSaved = 1;
  static constexpr bool kSplit = false, kRecurrent = true;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *s, Vec *s_new, Vec *saved) {
    const Vec c = F::value(a[0] + p[0]);
    s_new[0] = p[1] * c + p[2] * s[0];
    saved[0] = c;
  }

  static INLINE void backward(const Vec *d, const Vec *p, const Vec *s, const Vec *,
                              const Vec *saved, Vec *e, Vec *carry, Vec *dp) {
    e[0] = d[0] * p[1] * F::slope(saved[0]);
    carry[0] = d[0] * p[2];
    dp[0] += e[0];
    dp[1] += d[0] * saved[0];
    dp[2] += d[0] * s[0];
  }
};

// Ref: the same, eq. (1). h' = f(a + b)
template <class F>
struct RNN {
  static constexpr int kBlocks = 1, kParams = 1, kStates = 1, kSaved = 0;
  static constexpr bool kSplit = false, kRecurrent = true;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *, Vec *s_new, Vec *) {
    s_new[0] = F::value(a[0] + p[0]);
  }

  static INLINE void backward(const Vec *d, const Vec *, const Vec *, const Vec *s_new, const Vec *,
                              Vec *e, Vec *carry, Vec *dp) {
    e[0] = d[0] * F::slope(s_new[0]);
    carry[0] = Vec{};
    dp[0] += e[0];
  }
};

// Ref: Collins, Sohl-Dickstein, Sussillo, ICLR 2017, arXiv:1611.09913, section 2.
// z = sigmoid(a_0 + b_z), c = tanh(a_1 + b_c), h' = z h + (1 - z) c
struct UGRNN {
  static constexpr int kBlocks = 2, kParams = 2, kStates = 1, kSaved = 2;
  static constexpr bool kSplit = false, kRecurrent = true;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *s, Vec *s_new, Vec *saved) {
    const Vec z = sigmoid(a[0] + p[0]), c = tanh(a[1] + p[1]);
    s_new[0] = z * (s[0] - c) + c;
    saved[0] = z;
    saved[1] = c;
  }

  static INLINE void backward(const Vec *d, const Vec *, const Vec *s, const Vec *,
                              const Vec *saved, Vec *e, Vec *carry, Vec *dp) {
    const Vec z = saved[0], c = saved[1], not_z = 1.0f - z;
    e[0] = d[0] * (s[0] - c) * (z * not_z);
    e[1] = d[0] * not_z * (1.0f - c * c);
    carry[0] = d[0] * z;
    dp[0] += e[0];
    dp[1] += e[1];
  }
};

// Ref: Cho et al., EMNLP 2014, in the form of torch.nn.GRU; blocks r, z, n.
// n = tanh(W_n x + b_n + r (U_n h + b_hn)), h' = n + z (h - n)
struct GRU {
  static constexpr int kBlocks = 2, kParams = 4, kStates = 1, kSaved = 4;
  static constexpr bool kSplit = true, kRecurrent = true;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *s, Vec *s_new, Vec *saved) {
    const Vec r = sigmoid(a[0] + p[0]), z = sigmoid(a[1] + p[1]), m = a[3] + p[3];
    const Vec n = tanh(a[2] + p[2] + r * m);
    s_new[0] = n + z * (s[0] - n);
    saved[0] = r;
    saved[1] = z;
    saved[2] = n;
    saved[3] = m;
  }

  static INLINE void backward(const Vec *d, const Vec *, const Vec *s, const Vec *,
                              const Vec *saved, Vec *e, Vec *carry, Vec *dp) {
    const Vec r = saved[0], z = saved[1], n = saved[2], m = saved[3], not_z = 1.0f - z;
    e[1] = d[0] * (s[0] - n) * (z * not_z);
    e[2] = d[0] * not_z * (1.0f - n * n);
    e[3] = e[2] * r;
    e[0] = e[3] * m * (1.0f - r);
    carry[0] = d[0] * z;
    dp[0] += e[0];
    dp[1] += e[1];
    dp[2] += e[2];
    dp[3] += e[3];
  }
};

// Ref: Hochreiter and Schmidhuber 1997 with forget gates, as torch.nn.LSTM; blocks i, f, g, o.
struct LSTM {
  static constexpr int kBlocks = 4, kParams = 4, kStates = 2, kSaved = 5;
  static constexpr bool kSplit = false, kRecurrent = true;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *s, Vec *s_new, Vec *saved) {
    const Vec i = sigmoid(a[0] + p[0]), f = sigmoid(a[1] + p[1]), g = tanh(a[2] + p[2]);
    const Vec o = sigmoid(a[3] + p[3]), c = f * s[1] + i * g, t = tanh(c);
    s_new[0] = o * t;
    s_new[1] = c;
    saved[0] = i;
    saved[1] = f;
    saved[2] = g;
    saved[3] = o;
    saved[4] = t;
  }

  static INLINE void backward(const Vec *d, const Vec *, const Vec *s, const Vec *,
                              const Vec *saved, Vec *e, Vec *carry, Vec *dp) {
    const Vec i = saved[0], f = saved[1], g = saved[2], o = saved[3], t = saved[4];
    const Vec d_c = d[1] + d[0] * o * (1.0f - t * t);
    e[0] = d_c * g * (i * (1.0f - i));
    e[1] = d_c * s[1] * (f * (1.0f - f));
    e[2] = d_c * i * (1.0f - g * g);
    e[3] = d[0] * t * (o * (1.0f - o));
    carry[0] = Vec{};
    carry[1] = d_c * f;
    for (int k = 0; k < 4; k++) dp[k] += e[k];
  }
};

// Ref: Bradbury et al., ICLR 2017, arXiv:1611.01576, eq. (4), fo-pooling; blocks z, f, o.
// c = f c + (1 - f) z, h = o c. No U: the blocks are a convolution over x alone.
struct QRNN {
  static constexpr int kBlocks = 3, kParams = 3, kStates = 2, kSaved = 3;
  static constexpr bool kSplit = false, kRecurrent = false;

  static INLINE void forward(const Vec *a, const Vec *p, const Vec *s, Vec *s_new, Vec *saved) {
    const Vec z = tanh(a[0] + p[0]), f = sigmoid(a[1] + p[1]), o = sigmoid(a[2] + p[2]);
    const Vec c = f * (s[1] - z) + z;
    s_new[0] = o * c;
    s_new[1] = c;
    saved[0] = z;
    saved[1] = f;
    saved[2] = o;
  }

  static INLINE void backward(const Vec *d, const Vec *, const Vec *s, const Vec *s_new,
                              const Vec *saved, Vec *e, Vec *carry, Vec *dp) {
    const Vec z = saved[0], f = saved[1], o = saved[2], d_c = d[1] + d[0] * o;
    e[0] = d_c * (1.0f - f) * (1.0f - z * z);
    e[1] = d_c * (s[1] - z) * (f * (1.0f - f));
    e[2] = d[0] * s_new[1] * (o * (1.0f - o));
    carry[0] = Vec{};
    carry[1] = d_c * f;
    for (int k = 0; k < 3; k++) dp[k] += e[k];
  }
};
