/* SPDX-License-Identifier: MIT
 *
 * whole.c -- compiled code of many kinds for test_whole_program.py: products of integers and floats,
 * 64-bit arithmetic, division, recursion, jump tables, structs on the stack. Ends in `done`. */
#include <stdint.h>

void start(void);
void done(void);

__attribute__((section(".vectors"), used)) const void *const vectors[16] = {
    (const void *)0x20008000, start};

struct pair {
    int32_t a[5];
    uint64_t wide;
};

uint32_t result[16];
static uint32_t seed;

static uint32_t next(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 4;
}

__attribute__((noinline)) static int32_t product(const int8_t *w, const int16_t *x, unsigned n)
{
    int32_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += w[i] * x[i];
    return sum;
}

__attribute__((noinline)) static float mean(const float *x, unsigned n)
{
    float sum = 0.0f;
    for (unsigned i = 0; i < n; i++)
        sum += x[i] / (1.0f + x[i] * x[i]);
    return sum / (float)n;
}

__attribute__((noinline)) static uint32_t choose(uint32_t kind, uint32_t x)
{
    switch (kind) {
    case 0: return x + 1;
    case 1: return x ^ 0x55;
    case 2: return x * 7;
    case 3: return x / 3;
    case 4: return x % 10;
    case 5: return x << (x & 31);
    case 6: return (uint32_t)((int32_t)x >> (x & 7));
    default: return ~x;
    }
}

__attribute__((noinline)) static uint32_t depth(uint32_t n)
{
    return n < 2 ? n : depth(n - 1) + depth(n - 2);
}

__attribute__((noinline)) static struct pair fill(uint32_t x)
{
    struct pair p;
    for (int i = 0; i < 5; i++)
        p.a[i] = (int32_t)(x >> i) * (i - 2);
    p.wide = (uint64_t)x * x + 12345678901ull;
    return p;
}

__attribute__((noinline)) void done(void)
{
    for (;;)
        ;
}

void start(void)
{
    int8_t w[64];
    int16_t x[64];
    float f[32];
    seed = 1;
    for (int i = 0; i < 64; i++) {
        w[i] = (int8_t)next();
        x[i] = (int16_t)next();
    }
    for (int i = 0; i < 32; i++)
        f[i] = (float)(int32_t)next() * 1e-6f;
    result[0] = (uint32_t)product(w, x, 64);
    result[1] = (uint32_t)(int32_t)(mean(f, 32) * 65536.0f);
    for (uint32_t i = 0; i < 200; i++)
        result[2] = choose(i & 7, result[2] + next());
    result[3] = depth(12);
    struct pair p = fill(next());
    result[4] = (uint32_t)p.a[4];
    result[5] = (uint32_t)(p.wide / 1000003u);
    result[6] = (uint32_t)((int64_t)p.wide % -77);
    done();
}
