/* SPDX-License-Identifier: MIT
 *
 * dsp.c -- parallel sums, saturation and packing of the DSP extension (the ARM, sections A4.4.4 to
 * A4.4.7). The multiplications are in multiply.c. */
#include <stddef.h>

#include "saturate.h"
#include "wide.h"

/* ---- parallel addition and subtraction ---- */

enum { PLAIN, SATURATING, HALVING };

struct lane {
    unsigned bits;          /* 8 or 16 */
    unsigned how;
    bool is_unsigned;
};

static int32_t lane_value(const struct lane *lane, uint32_t word, unsigned at)
{
    uint32_t raw = word >> at & ((1u << lane->bits) - 1);
    if (lane->is_unsigned || !(raw >> (lane->bits - 1)))
        return (int32_t)raw;
    return (int32_t)raw - (1 << lane->bits);
}

static uint32_t lane_result(const struct lane *lane, int32_t sum)
{
    if (lane->how == HALVING)
        sum >>= 1;
    else if (lane->how == SATURATING)
        sum = lane->is_unsigned ? (int32_t)saturate_unsigned(sum, lane->bits, NULL)
                                : saturate_signed(sum, lane->bits, NULL);
    return (uint32_t)sum & ((1u << lane->bits) - 1);
}

/* GE: the result is not negative; for unsigned sums, that there was a carry. */
static bool lane_ge(const struct lane *lane, int32_t sum, bool minus)
{
    return lane->is_unsigned && !minus ? sum >> lane->bits : sum >= 0;
}

bool parallel(struct cpu *cpu, const struct wide *w)
{
    enum { ADD8, ADD16, ASX, SUB8 = 4, SUB16, SAX };
    unsigned op = w->word >> 20 & 7;
    bool crossed = op == ASX || op == SAX;
    struct lane lane = {op == ADD8 || op == SUB8 ? 8 : 16, w->word >> 4 & 3, BIT(w, 6)};
    uint32_t n = cpu->r[RN(w)], m = cpu->r[RM(w)], result = 0, ge = 0;
    if (crossed)
        m = m >> 16 | m << 16;
    for (unsigned at = 0; at < 32; at += lane.bits) {
        bool minus = op == SUB8 || op == SUB16 || (op == ASX && at == 0) || (op == SAX && at != 0);
        int32_t a = lane_value(&lane, n, at), b = lane_value(&lane, m, at);
        int32_t sum = minus ? a - b : a + b;
        result |= lane_result(&lane, sum) << at;
        if (lane_ge(&lane, sum, minus))
            ge |= (lane.bits == 8 ? 1u : 3u) << at / 8;
    }
    cpu->r[RD(w)] = result;
    if (lane.how == PLAIN)
        cpu->ge = ge;
    return true;
}

bool sel(struct cpu *cpu, const struct wide *w)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < 4; i++)
        if (cpu->ge >> i & 1)
            mask |= 0xFFu << (8 * i);
    cpu->r[RD(w)] = (cpu->r[RN(w)] & mask) | (cpu->r[RM(w)] & ~mask);
    return true;
}

bool usada8(struct cpu *cpu, const struct wide *w)
{
    uint32_t sum = RT(w) == 15 ? 0 : cpu->r[RT(w)];
    for (unsigned at = 0; at < 32; at += 8) {
        uint32_t n = cpu->r[RN(w)] >> at & 0xFF, m = cpu->r[RM(w)] >> at & 0xFF;
        sum += n > m ? n - m : m - n;
    }
    cpu->r[RD(w)] = sum;
    return true;
}

/* ---- saturation ---- */

/* QADD, QDADD, QSUB, QDSUB: Rm and Rn, or twice Rn saturated. */
bool saturating_sum(struct cpu *cpu, const struct wide *w)
{
    int64_t n = (int32_t)cpu->r[RN(w)], m = (int32_t)cpu->r[RM(w)];
    if (BIT(w, 4))
        n = saturate_signed(2 * n, 32, &cpu->q);
    cpu->r[RD(w)] = (uint32_t)saturate_signed(BIT(w, 5) ? m - n : m + n, 32, &cpu->q);
    return true;
}

bool ssat16(struct cpu *cpu, const struct wide *w)
{
    unsigned bits = (w->word & 15) + 1;
    uint32_t n = cpu->r[RN(w)];
    uint32_t low = (uint32_t)saturate_signed(low_half(n), bits, &cpu->q);
    cpu->r[RD(w)] = pack_halves(low, (uint32_t)saturate_signed(high_half(n), bits, &cpu->q));
    return true;
}

bool usat16(struct cpu *cpu, const struct wide *w)
{
    unsigned bits = w->word & 15;
    uint32_t n = cpu->r[RN(w)], low = saturate_unsigned(low_half(n), bits, &cpu->q);
    cpu->r[RD(w)] = pack_halves(low, saturate_unsigned(high_half(n), bits, &cpu->q));
    return true;
}

/* ---- packing ---- */

bool pkh(struct cpu *cpu, const struct wide *w)
{
    uint32_t n = cpu->r[RN(w)], m = cpu->r[RM(w)], by = IMM5(w);
    if (BIT(w, 5))              /* TB: ASR, 0 meaning 32 */
        cpu->r[RD(w)] = pack_halves((uint32_t)((int32_t)m >> (by ? by : 31)), n >> 16);
    else
        cpu->r[RD(w)] = pack_halves(n, m << by >> 16);
    return true;
}
