/* SPDX-License-Identifier: MIT
 *
 * whole.c -- compiled code of the kinds that ARMv7E-M has beyond ARMv6-M, for test_whole_program.py:
 * single-precision floating point with fused products, the DSP extension, hardware division,
 * unaligned words, bit fields, 64 bits, doubles in software, exclusives, jump tables. Ends in `done`. */
#include <arm_acle.h>
#include <stdint.h>

void start(void);
void done(void);

__attribute__((section(".vectors"), used)) const void *const vectors[16] = {
    (const void *)0x20008000, start};

uint32_t result[64];
float floats[64];
static uint32_t seed, at;

static uint32_t next(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed ^ seed >> 13;
}

static void keep(uint32_t value)
{
    result[at % 64] = (result[at % 64] << 5 | result[at % 64] >> 27) ^ value;
    at++;
}

static uint32_t bits(float value)
{
    union {
        float value;
        uint32_t bits;
    } u = {value};
    return u.bits;
}

/* ---- floating point ---- */

__attribute__((noinline)) static float gate(const float *w, const float *x, unsigned n, float bias)
{
    float sum = bias;
    for (unsigned i = 0; i < n; i++)
        sum += w[i] * x[i];
    float size = __builtin_fabsf(sum);
    return sum / (1.0f + size);
}

__attribute__((noinline)) static float norm(const float *x, unsigned n)
{
    float sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += x[i] * x[i]; /* VFMA where there is one */
#ifdef __ARM_FP
    __asm__("vsqrt.f32 %0, %0" : "+t"(sum));
#endif
    return sum;
}

__attribute__((noinline)) static int32_t classify(float x, float y)
{
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 7;
}

static void floating(void)
{
    for (unsigned i = 0; i < 64; i++)
        floats[i] = (float)(int32_t)next() * 0x1p-31f;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 16; i++)
            floats[i] = gate(floats, floats + 32, 24, floats[i]) + floats[63 - i] * 0.25f;
        keep(bits(norm(floats, 64)));
        keep((uint32_t)(int32_t)(floats[round] * 1000.0f));
        keep((uint32_t)(floats[round + 8] * floats[round + 8] * 1e6f));
        keep((uint32_t)classify(floats[round], floats[round + 1]));
        keep(bits(-floats[round] - floats[2] * floats[3]));
        keep(bits((float)next()));
    }
    double wide = floats[5];
    for (unsigned i = 0; i < 10; i++)
        wide = wide * 1.25 + 1.0 / (double)(i + 2);
    keep((uint32_t)(int32_t)(wide * 65536.0));
}

/* ---- the DSP extension ---- */

#ifdef __ARM_FEATURE_DSP
static void signal_processing(void)
{
    int32_t sum = 0;
    int64_t wide = 1;
    for (unsigned i = 0; i < 16; i++) {
        int16x2_t a = (int16x2_t)next(), b = (int16x2_t)next();
        sum = __smlad(a, b, sum);
        sum = __smlsdx(a, b, sum);
        wide = __smlald(a, b, wide);
        keep((uint32_t)__qadd(sum, a));
        keep((uint32_t)__qsub(a, __qdbl(b)));
        keep((uint32_t)__sadd16(a, b) ^ __uhsub8((uint32_t)a, (uint32_t)b));
        keep((uint32_t)__ssat(sum, 13) ^ __usat(sum, 9));
        keep((uint32_t)__ssat16(a, 7) ^ __usat16(b, 11));
        keep(__usad8((uint32_t)a, (uint32_t)b) + (uint32_t)__smlawt(sum, b, 9));
        uint8x4_t most = __usub8((uint32_t)a, (uint32_t)b);
        keep(__sel((uint32_t)a, (uint32_t)b) ^ most);
        keep((uint32_t)__smlabt(a, b, 5) ^ (uint32_t)__shasx(a, b) ^ __uxtab16(3, (uint32_t)b));
    }
    keep((uint32_t)sum);
    keep((uint32_t)(wide >> 16));
}
#endif

/* ---- integers ---- */

struct __attribute__((packed)) odd {
    uint8_t head;
    uint32_t word;
    uint16_t half;
    int64_t wide;
};

struct fields {
    unsigned a : 3, b : 11;
    int c : 7;
    unsigned d : 11;
};

static uint32_t reversed_bits(uint32_t x)
{
    __asm__("rbit %0, %0" : "+r"(x));
    return x;
}

__attribute__((noinline)) static uint32_t choose(uint32_t kind, uint32_t x)
{
    switch (kind) {
    case 0: return x + 1;
    case 1: return x ^ 0x00550055;
    case 2: return x / 7;
    case 3: return (uint32_t)((int32_t)x / -13);
    case 4: return x % 1000;
    case 5: return (uint32_t)__builtin_clz(x | 1) + reversed_bits(x);
    case 6: return (uint32_t)((int32_t)x >> (x & 15)) - (x >> 3);
    case 7: return __builtin_bswap32(x) + __builtin_bswap16((uint16_t)x);
    case 8: return x > 1000 ? x * 3 : x < 10 ? 77 : x - 5;
    default: return ~x;
    }
}

static uint32_t add_exclusively(volatile uint32_t *to, uint32_t value)
{
    uint32_t failed, now;
    do {
        __asm__ volatile("ldrex %0, [%1]" : "=r"(now) : "r"(to) : "memory");
        __asm__ volatile("strex %0, %2, [%1]" : "=&r"(failed) : "r"(to), "r"(now + value) : "memory");
    } while (failed);
    return now;
}

static void integers(void)
{
    struct odd odd = {1, 2, 3, 4};
    struct fields fields = {0};
    uint64_t wide = 0x123456789ABCDEFull;
    for (uint32_t i = 0; i < 50; i++) {
        odd.word = choose(i % 10, odd.word + next());
        odd.half = (uint16_t)(odd.half * 3 + odd.head);
        odd.wide = odd.wide * 37 + (int32_t)odd.word;
        odd.head++;
        fields.a += i;
        fields.b ^= odd.half;
        fields.c -= (int)(i & 5);
        fields.d = fields.b + fields.a;
        wide = wide / 3 + (wide << 7) + odd.word;
        keep(odd.word ^ odd.half ^ (uint32_t)odd.wide ^ (uint32_t)(wide >> 32));
        keep(fields.a + fields.b + (uint32_t)fields.c + fields.d);
    }
    keep(add_exclusively(&result[3], 5) + add_exclusively(&result[3], 6));
}

__attribute__((noinline)) void done(void)
{
    for (;;)
        ;
}

void start(void)
{
    seed = 1;
    integers();
#ifdef __ARM_FEATURE_DSP
    signal_processing();
#endif
    floating();
    done();
}
