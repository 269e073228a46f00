/* SPDX-License-Identifier: MIT
 *
 * data.c -- data processing with a constant or a shifted register (the ARM, sections A5.3.1,
 * A5.3.3, A5.3.11 and A5.3.12). */
#include "alu.h"
#include "wide.h"

#define SETS_FLAGS(w) BIT(w, 20)

/* ---- second operands, with the carry that a logical operation puts into C ---- */

/* A constant that is a rotation has its top bit as carry (ThumbExpandImm_C). */
static inline uint32_t constant(const struct cpu *cpu, const struct wide *w, uint32_t *carry)
{
    *carry = w->word & 0x04004000u ? w->immediate >> 31 : cpu->c;
    return w->immediate;
}

static uint32_t shifted_by(const struct cpu *cpu, const struct wide *w, uint32_t *carry)
{
    uint32_t value = cpu->r[RM(w)], by = IMM5(w);
    switch (w->word >> 4 & 3) {
    case 0:
        *carry = value >> (32 - by) & 1;
        return value << by;
    case 1:
        *carry = value >> ((by ? by : 32) - 1) & 1;
        return by ? value >> by : 0;
    case 2:
        *carry = value >> ((by ? by : 32) - 1) & 1;
        return (uint32_t)((int32_t)value >> (by ? by : 31));
    default:
        *carry = value >> (by ? by - 1 : 0) & 1;
        return by ? value >> by | value << (32 - by) : value >> 1 | cpu->c << 31;  /* RRX */
    }
}

static inline uint32_t shifted(const struct cpu *cpu, const struct wide *w, uint32_t *carry)
{
    if ((w->word & 0x70F0) == 0) {
        *carry = cpu->c;
        return cpu->r[RM(w)];
    }
    return shifted_by(cpu, w, carry);
}

/* ---- logic ---- */

static inline void set_logic_flags(struct cpu *cpu, uint32_t result, uint32_t carry)
{
    set_nz(cpu, result);
    cpu->c = carry;
}

static inline bool logic(struct cpu *cpu, const struct wide *w, uint32_t result, uint32_t carry)
{
    write_register(cpu, RD(w), result);
    if (SETS_FLAGS(w))
        set_logic_flags(cpu, result, carry);
    return true;
}

/* `a` is Rn (0 if that is the PC: MOV and MVN), `b` the second operand. */
#define LOGIC(name, expression)                                                                \
    bool name##_imm(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t carry, a = cpu->r[RN(w)], b = constant(cpu, w, &carry);                       \
        return logic(cpu, w, expression, carry);                                               \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t carry, a = cpu->r[RN(w)], b = shifted(cpu, w, &carry);                        \
        return logic(cpu, w, expression, carry);                                               \
    }

LOGIC(and, a & b)
LOGIC(bic, a & ~b)
LOGIC(orr, a | b)
LOGIC(orn, a | ~b)
LOGIC(eor, a ^ b)

#define MOVE(name, expression)                                                                 \
    bool name##_imm(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t carry, b = constant(cpu, w, &carry);                                          \
        return logic(cpu, w, expression, carry);                                               \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t carry, b = shifted(cpu, w, &carry);                                           \
        return logic(cpu, w, expression, carry);                                               \
    }

MOVE(mov, b)
MOVE(mvn, ~b)

#define TEST(name, expression)                                                                 \
    bool name##_imm(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t carry, a = cpu->r[RN(w)], b = constant(cpu, w, &carry);                       \
        set_logic_flags(cpu, expression, carry);                                               \
        return true;                                                                           \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t carry, a = cpu->r[RN(w)], b = shifted(cpu, w, &carry);                        \
        set_logic_flags(cpu, expression, carry);                                               \
        return true;                                                                           \
    }

TEST(tst, a & b)
TEST(teq, a ^ b)

/* ---- sums: x + y + carry ---- */

static inline bool sum(struct cpu *cpu, const struct wide *w, uint32_t x, uint32_t y,
                       uint32_t carry)
{
    uint32_t result = SETS_FLAGS(w) ? add_flags(cpu, x, y, carry) : x + y + carry;
    write_register(cpu, RD(w), result);
    return true;
}

#define SUM(name, x, y, carry)                                                                 \
    bool name##_imm(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t a = cpu->r[RN(w)], b = w->immediate;                                          \
        return sum(cpu, w, x, y, carry);                                                       \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t unused, a = cpu->r[RN(w)], b = shifted(cpu, w, &unused);                      \
        return sum(cpu, w, x, y, carry);                                                       \
    }

SUM(add, a, b, 0)
SUM(adc, a, b, cpu->c)
SUM(sbc, a, ~b, cpu->c)
SUM(sub, a, ~b, 1)
SUM(rsb, b, ~a, 1)

#define COMPARE(name, y, carry)                                                                \
    bool name##_imm(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t b = w->immediate;                                                             \
        add_flags(cpu, cpu->r[RN(w)], y, carry);                                               \
        return true;                                                                           \
    }                                                                                          \
    bool name##_reg(struct cpu *cpu, const struct wide *w)                                     \
    {                                                                                          \
        uint32_t unused, b = shifted(cpu, w, &unused);                                         \
        add_flags(cpu, cpu->r[RN(w)], y, carry);                                               \
        return true;                                                                           \
    }

COMPARE(cmn, b, 0)
COMPARE(cmp, ~b, 1)

/* ---- plain immediates ---- */

bool add_wide(struct cpu *cpu, const struct wide *w)
{
    write_register(cpu, RD(w), cpu->r[RN(w)] + IMM12(w));
    return true;
}

bool sub_wide(struct cpu *cpu, const struct wide *w)
{
    write_register(cpu, RD(w), cpu->r[RN(w)] - IMM12(w));
    return true;
}

bool adr_add(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = (cpu->pc & ~3u) + IMM12(w);
    return true;
}

bool adr_sub(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = (cpu->pc & ~3u) - IMM12(w);
    return true;
}

bool movw(struct cpu *cpu, const struct wide *w)
{
    cpu->r[RD(w)] = RN(w) << 12 | IMM12(w);
    return true;
}

bool movt(struct cpu *cpu, const struct wide *w)
{
    uint32_t *d = &cpu->r[RD(w)];
    *d = (*d & 0xFFFF) | RN(w) << 28 | IMM12(w) << 16;
    return true;
}

/* LSL, LSR, ASR, ROR by a register. */
bool shift_reg(struct cpu *cpu, const struct wide *w)
{
    uint32_t value = cpu->r[RN(w)], by = cpu->r[RM(w)] & 0xFF, before = cpu->c, result;
    switch (w->word >> 21 & 3) {
    case 0:
        result = shift_left(cpu, value, by);
        break;
    case 1:
        result = shift_right(cpu, value, by);
        break;
    case 2:
        result = shift_arithmetic(cpu, value, by);
        break;
    default:
        result = rotate_right(cpu, value, by);
        break;
    }
    cpu->r[RD(w)] = result;
    if (SETS_FLAGS(w))
        set_nz(cpu, result);
    else
        cpu->c = before;
    return true;
}
