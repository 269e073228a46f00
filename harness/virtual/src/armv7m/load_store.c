/* SPDX-License-Identifier: MIT
 *
 * load_store.c -- single loads and stores (the ARM, sections A5.3.7 to A5.3.10). A register changes
 * only after the access has succeeded. */
#include "memory.h"
#include "timing.h"
#include "wide.h"

#define INDEX 0x400u            /* P: access at base + offset, else at base */
#define UP 0x200u               /* U: offset is added */
#define WRITE_BACK 0x100u       /* W */

static inline uint32_t at_imm12(const struct cpu *cpu, const struct wide *w)
{
    return cpu->r[RN(w)] + (w->word & 0xFFF);
}

static inline uint32_t at_reg(const struct cpu *cpu, const struct wide *w)
{
    return cpu->r[RN(w)] + (cpu->r[RM(w)] << (w->word >> 4 & 3));
}

static inline uint32_t at_literal(const struct cpu *cpu, const struct wide *w)
{
    uint32_t base = cpu->pc & ~3u, offset = w->word & 0xFFF;
    return BIT(w, 23) ? base + offset : base - offset;
}

/* Base with its 8-bit offset. */
static inline uint32_t indexed(const struct cpu *cpu, const struct wide *w)
{
    uint32_t base = cpu->r[RN(w)], offset = w->word & 0xFF;
    return w->word & UP ? base + offset : base - offset;
}

static inline uint32_t at_imm8(const struct cpu *cpu, const struct wide *w)
{
    return w->word & INDEX ? indexed(cpu, w) : cpu->r[RN(w)];
}

static inline void write_back(struct cpu *cpu, const struct wide *w, uint32_t value)
{
    if (w->word & WRITE_BACK)
        write_register(cpu, RN(w), value);
}

/* ---- loads ---- */

static bool load_pc(struct cpu *cpu, uint32_t address, uint32_t value)
{
    if (address & 3)
        return refuse(cpu, FAULT_UNPREDICTABLE, cpu->pc - 4);
    CHARGE(cpu, REFILL);
    write_pc(cpu, value);
    return true;
}

static inline bool finish(struct cpu *cpu, unsigned t, uint32_t address, uint32_t value)
{
    if (__builtin_expect(t == 15, 0))
        return load_pc(cpu, address, value);
    write_register(cpu, t, value);
    return true;
}

#define LOAD(name, size, convert)                                                              \
    static inline bool name##_at(struct cpu *cpu, const struct wide *w, uint32_t address)      \
    {                                                                                          \
        uint32_t value;                                                                        \
        if (!memory_read(cpu, address, size, &value))                                          \
            return false;                                                                      \
        return finish(cpu, RT(w), address, convert value);                                     \
    }                                                                                          \
    bool name##_imm12(struct cpu *cpu, const struct wide *w)                                   \
    {                                                                                          \
        return name##_at(cpu, w, at_imm12(cpu, w));                                            \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        return name##_at(cpu, w, at_reg(cpu, w));                                              \
    }                                                                                          \
    bool name##_literal(struct cpu *cpu, const struct wide *w)                                 \
    {                                                                                          \
        return name##_at(cpu, w, at_literal(cpu, w));                                          \
    }                                                                                          \
    bool name##_imm8(struct cpu *cpu, const struct wide *w)                                    \
    {                                                                                          \
        uint32_t value, address = at_imm8(cpu, w), after = indexed(cpu, w);                    \
        if (!memory_read(cpu, address, size, &value))                                          \
            return false;                                                                      \
        if (RT(w) == 15 && (address & 3))                                                      \
            return refuse(cpu, FAULT_UNPREDICTABLE, cpu->pc - 4);                              \
        write_back(cpu, w, after);      /* first: an exception return uses SP */               \
        return finish(cpu, RT(w), address, convert value);                                     \
    }                                                                                          \
    bool name##_user(struct cpu *cpu, const struct wide *w)                                    \
    {                                                                                          \
        cpu->as_user = true;                                                                   \
        bool ok = name##_at(cpu, w, cpu->r[RN(w)] + (w->word & 0xFF));                         \
        cpu->as_user = false;                                                                  \
        return ok;                                                                             \
    }

LOAD(ldr, 4, )
LOAD(ldrh, 2, )
LOAD(ldrb, 1, )
LOAD(ldrsh, 2, (uint32_t)(int32_t)(int16_t))
LOAD(ldrsb, 1, (uint32_t)(int32_t)(int8_t))

/* ---- stores ---- */

#define STORE(name, size)                                                                      \
    static inline bool name##_at(struct cpu *cpu, const struct wide *w, uint32_t address)      \
    {                                                                                          \
        return memory_write(cpu, address, size, cpu->r[RT(w)]);                                \
    }                                                                                          \
    bool name##_imm12(struct cpu *cpu, const struct wide *w)                                   \
    {                                                                                          \
        return name##_at(cpu, w, at_imm12(cpu, w));                                            \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        return name##_at(cpu, w, at_reg(cpu, w));                                              \
    }                                                                                          \
    bool name##_imm8(struct cpu *cpu, const struct wide *w)                                    \
    {                                                                                          \
        uint32_t after = indexed(cpu, w);                                                      \
        if (!name##_at(cpu, w, at_imm8(cpu, w)))                                               \
            return false;                                                                      \
        write_back(cpu, w, after);                                                             \
        return true;                                                                           \
    }                                                                                          \
    bool name##_user(struct cpu *cpu, const struct wide *w)                                    \
    {                                                                                          \
        cpu->as_user = true;                                                                   \
        bool ok = name##_at(cpu, w, cpu->r[RN(w)] + (w->word & 0xFF));                         \
        cpu->as_user = false;                                                                  \
        return ok;                                                                             \
    }

STORE(str, 4)
STORE(strh, 2)
STORE(strb, 1)

/* PLD, PLI and the hints without a name. */
bool preload(struct cpu *cpu, const struct wide *w)
{
    (void)cpu, (void)w;
    return true;
}
