/* SPDX-License-Identifier: MIT
 *
 * fp_move.c -- floating-point registers to and from memory and the core (the ARM, sections A6.5 to
 * A6.7). Dn is the pair S2n, S2n+1. */
#include "fp.h"
#include "memory.h"
#include "timing.h"
#include "wide.h"

#define IS_DOUBLE(w) BIT(w, 8)

/* ---- constants and core registers ---- */

bool fp_move_imm(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t imm = RN(w) << 4 | RM(w), sign = imm >> 7 << 31;
    uint32_t exponent = imm & 0x40 ? 0x3E000000u : 0x40000000u;
    cpu->s[SD(w)] = sign | exponent | (imm & 0x3F) << 19;
    return true;
}

bool fp_move_core(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    if (BIT(w, 20))
        cpu->r[RT(w)] = cpu->s[SN(w)];
    else
        cpu->s[SN(w)] = cpu->r[RT(w)];
    return true;
}

bool fp_move_pair(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t *s = &cpu->s[IS_DOUBLE(w) ? 2 * RM(w) : SM(w)];
    if (BIT(w, 20)) {
        cpu->r[RT(w)] = s[0];
        cpu->r[RN(w)] = s[1];
    } else {
        s[0] = cpu->r[RT(w)];
        s[1] = cpu->r[RN(w)];
    }
    return true;
}

bool fp_move_scalar(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    uint32_t *s = &cpu->s[2 * RN(w) + BIT(w, 21)];
    if (BIT(w, 20))
        cpu->r[RT(w)] = *s;
    else
        *s = cpu->r[RT(w)];
    return true;
}

/* ---- FPSCR ---- */

bool fp_read_status(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    if (RT(w) == 15) {          /* only its flags, to xPSR */
        cpu->n = cpu->fpscr;
        cpu->z = ~cpu->fpscr & (1u << 30);
        cpu->c = cpu->fpscr >> 29 & 1;
        cpu->v = cpu->fpscr << 3;
        return true;
    }
    fp_leave(cpu);
    cpu->r[RT(w)] = cpu->fpscr;
    return true;
}

bool fp_write_status(struct cpu *cpu, const struct wide *w)
{
    if (!fp_begin(cpu))
        return false;
    fp_leave(cpu);
    cpu->fpscr = cpu->r[RT(w)] & FPSCR_MASK;
    return true;
}

/* ---- memory ---- */

static uint32_t first_register(const struct wide *w)
{
    return IS_DOUBLE(w) ? 2 * RT(w) : SD(w);
}

static bool load(struct cpu *cpu, uint32_t address, uint32_t first, unsigned count)
{
    uint32_t loaded[32];
    for (unsigned i = 0; i < count; i++)
        if (!memory_read_strict(cpu, address + 4 * i, 4, &loaded[i]))
            return false;
    memcpy(&cpu->s[first], loaded, 4 * count);
    return true;
}

static bool store(struct cpu *cpu, uint32_t address, uint32_t first, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!memory_write_strict(cpu, address + 4 * i, 4, cpu->s[first + i]))
            return false;
    return true;
}

static uint32_t address_of(const struct cpu *cpu, const struct wide *w)
{
    uint32_t base = RN(w) == 15 ? cpu->pc & ~3u : cpu->r[RN(w)], offset = 4 * (w->word & 0xFF);
    return BIT(w, 23) ? base + offset : base - offset;
}

bool fp_load(struct cpu *cpu, const struct wide *w)
{
    unsigned count = IS_DOUBLE(w) ? 2 : 1;
    if (!fp_begin(cpu) || !load(cpu, address_of(cpu, w), first_register(w), count))
        return false;
    CHARGE_N(cpu, TRANSFER, count - 1);
    return true;
}

bool fp_store(struct cpu *cpu, const struct wide *w)
{
    unsigned count = IS_DOUBLE(w) ? 2 : 1;
    if (!fp_begin(cpu) || !store(cpu, address_of(cpu, w), first_register(w), count))
        return false;
    CHARGE_N(cpu, TRANSFER, count - 1);
    return true;
}

/* Bit 24: DB, the list ends below the base; else IA, it begins there. */
static bool multiple(struct cpu *cpu, const struct wide *w,
                     bool (*move)(struct cpu *, uint32_t, uint32_t, unsigned))
{
    uint32_t base = cpu->r[RN(w)], words = w->word & 0xFF, end = base + 4 * words;
    if (!fp_begin(cpu))
        return false;
    if (BIT(w, 24))
        end = base -= 4 * words;
    if (!move(cpu, base, first_register(w), words))
        return false;
    if (BIT(w, 21))
        write_register(cpu, RN(w), end);
    CHARGE_N(cpu, TRANSFER, words);
    return true;
}

bool fp_load_multiple(struct cpu *cpu, const struct wide *w)
{
    return multiple(cpu, w, load);
}

bool fp_store_multiple(struct cpu *cpu, const struct wide *w)
{
    return multiple(cpu, w, store);
}
