// Vectors of floats, and exp, sigmoid and tanh on them: within 2.5 ulp of the exact value, sigmoid
// for |x| <= 80, beyond which it is as at 80 (1.8e-35).
//
// The width follows the compiler's target; nothing else in the kernel knows it. All of it is plain
// GNU C++ vector extensions, so without -march=native the same source compiles to SSE2 or NEON.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int kWidth = 16;
constexpr int kAccumulators = 25;  // of 32 registers; the rest hold a row of the right operand
constexpr int kMaxColumns = 5;
#elif defined(__AVX__)
constexpr int kWidth = 8;
constexpr int kAccumulators = 12;  // of 16 registers
constexpr int kMaxColumns = 2;
#else
constexpr int kWidth = 4;
constexpr int kAccumulators = 12;
constexpr int kMaxColumns = 2;
#endif

typedef float Vec __attribute__((vector_size(4 * kWidth)));
typedef int32_t IntVec __attribute__((vector_size(4 * kWidth)));

#define INLINE inline __attribute__((always_inline))

static INLINE Vec load(const float *from) {
  Vec v;
  memcpy(&v, from, sizeof v);
  return v;
}

static INLINE void store(float *to, Vec v) { memcpy(to, &v, sizeof v); }

static INLINE Vec all(float value) { return value - Vec{}; }

static INLINE Vec bits_to_float(IntVec bits) { return (Vec)bits; }

// The lesser and the greater; where either is a NaN, b.
#if defined(__AVX__) && !defined(__AVX512F__)
// gcc makes three instructions of `a < b ? a : b` here, a fifth of a small network's forward pass
static INLINE Vec least(Vec a, Vec b) { return (Vec)_mm256_min_ps((__m256)a, (__m256)b); }
static INLINE Vec greatest(Vec a, Vec b) { return (Vec)_mm256_max_ps((__m256)a, (__m256)b); }
#else
static INLINE Vec least(Vec a, Vec b) { return a < b ? a : b; }
static INLINE Vec greatest(Vec a, Vec b) { return a > b ? a : b; }
#endif

// Within [low, high]; a NaN stays a NaN, so that a training that diverges is noticed.
static INLINE Vec clamp(Vec v, float low, float high) {
  return greatest(all(low), least(all(high), v));
}

// e^y = scale * (1 + q), |y| <= 87. y = n ln 2 + r with |r| <= ln 2 / 2, scale = 2^n, q = e^r - 1.
//
// n ln 2 is subtracted in two parts, of which the first is exact. q is r + r^2 P(r), P of degree 5
// by a Remez exchange on the relative error of q, which is 2.7e-10 at most before rounding.
struct Exp {
  Vec scale, q;
};

static INLINE Exp exp_parts(Vec y) {
  const Vec round = all(12582912.0f);  // 1.5 * 2^23: adding it leaves n in the low mantissa bits
  const Vec shifted = y * 1.44269504088896341f + round;
  const Vec n = shifted - round;
  Vec r = y - n * 0.693359375f;
  r = r + n * 2.12194440054690583e-4f;
  Vec p = all(1.99623951e-4f);
  p = p * r + 1.39433092e-3f;
  p = p * r + 8.33321958e-3f;
  p = p * r + 4.16663257e-2f;
  p = p * r + 0.166666669f;
  p = p * r + 0.5f;
  const IntVec exponent = ((IntVec)shifted << 23) + 0x3f800000;
  return {bits_to_float(exponent), r + r * r * p};
}

// 1 / (1 + e^-x)
static INLINE Vec sigmoid(Vec x) {
  const Exp e = exp_parts(clamp(-x, -80.0f, 80.0f));
  return 1.0f / (1.0f + (e.scale + e.scale * e.q));
}

// m / (m + 2) with m = e^2x - 1, which keeps the relative error small around 0
static INLINE Vec tanh(Vec x) {
  const Exp e = exp_parts(clamp(x + x, -20.0f, 20.0f));
  const Vec m = e.scale * e.q + (e.scale - 1.0f);
  return m / (m + 2.0f);
}
