/* SPDX-License-Identifier: MIT
 *
 * wide.c -- decoding of the 32-bit instructions: the row of patterns.h that fits, what the
 * encoding leaves UNPREDICTABLE, and a cache of the results. The cache is addressed by the
 * instruction itself, so nothing needs to be forgotten when code changes. */
#include "wide.h"

#include "memory.h"
#include "patterns.h"
#include "timing.h"

/* ---- rules on register fields and immediates ---- */

static bool register_forbidden(uint32_t word, uint32_t rules)
{
    static const unsigned shift[] = {8, 16, 0, 12};     /* as in the order of the NO_ rules */
    for (unsigned field = 0; field < 4; field++) {
        unsigned number = word >> shift[field] & 15;
        uint32_t no = rules >> (2 * field) & 3;
        if ((number == 13 && (no & 1)) || (number == 15 && (no & 2)))
            return true;
    }
    return false;
}

/* ThumbExpandImm (the ARM, section A5.3.2). */
static uint32_t expand_immediate(uint32_t word)
{
    uint32_t byte = word & 0xFF, kind = (word >> 23 & 8) | (word >> 12 & 7);
    switch (kind) {
    case 0:
        return byte;
    case 1:
        return byte << 16 | byte;
    case 2:
        return byte << 24 | byte << 8;
    case 3:
        return byte * 0x01010101u;
    default: {
        uint32_t rotation = kind << 1 | byte >> 7;
        byte |= 0x80;
        return byte >> rotation | byte << (32 - rotation);
    }
    }
}

/* A repeated zero byte is UNPREDICTABLE. */
static bool immediate_forbidden(uint32_t word)
{
    return !(word & 0x04004000u) && (word & 0x3000) && !(word & 0xFF);
}

static uint8_t place_in_it(uint32_t word, uint32_t rules)
{
    if (rules & NOT_IN_IT)
        return IT_NEVER;
    bool to_pc = (rules & BRANCHES) || ((rules & BRANCHES_T15) && (word >> 12 & 15) == 15) ||
                 ((rules & BRANCHES_LIST) && (word & 0x8000));
    return to_pc ? IT_LAST : IT_ANYWHERE;
}

/* ---- instructions that are none ---- */

static bool undefined(struct cpu *cpu, const struct wide *w)
{
    (void)w;
    return refuse(cpu, FAULT_UNDEFINED, cpu->pc - 4);
}

static bool unpredictable(struct cpu *cpu, const struct wide *w)
{
    (void)w;
    return refuse(cpu, FAULT_UNPREDICTABLE, cpu->pc - 4);
}

/* ---- decoding ---- */

static bool fits(const struct pattern *p, uint32_t word, const struct cpu_config *config)
{
    if ((word & p->mask) != p->bits)
        return false;
    return (!(p->rules & NEEDS_DSP) || config->has_dsp) &&
           (!(p->rules & NEEDS_FPU) || config->has_fpu);
}

static bool forbidden(const struct pattern *p, uint32_t word)
{
    return (word & p->should_mask) != p->should_bits || register_forbidden(word, p->rules) ||
           ((p->rules & CONSTANT) && immediate_forbidden(word)) || (p->legal && !p->legal(word));
}

static struct wide decode(const struct cpu_config *config, uint32_t word)
{
    struct wide w = {.word = word, .run = undefined};
    for (const struct pattern *p = wide_patterns; p->mask; p++) {
        if (!fits(p, word, config))
            continue;
        if (!p->run)
            return w;
        if (forbidden(p, word)) {
            w.run = unpredictable;
            return w;
        }
        struct limits cost = timing_of(p->timing, !config->has_dsp);
        w.run = p->run;
        w.cycles = cost.lo;
        w.cycles_hi = cost.hi;
        w.in_it = place_in_it(word, p->rules);
        w.immediate = p->rules & CONSTANT ? expand_immediate(word) : 0;
        return w;
    }
    return w;
}

const struct wide *wide_decode(struct cpu *cpu, uint32_t word)
{
    struct wide *w = &cpu->wide[word * 0x9E3779B1u >> 20 & (WIDE_CACHE - 1)];
    if (__builtin_expect(w->word != word, 0))
        *w = decode(&cpu->config, word);
    return w;
}
