/* SPDX-License-Identifier: MIT
 *
 * patterns.c -- the 32-bit instructions of ARMv7E-M (the ARM, section A5.3 and chapter A6), one row
 * for each form. The condition a row ends with is the one the ARM gives with the encoding. */
#include "patterns.h"

#include <stddef.h>

/* ---- conditions on encodings ---- */

static unsigned field(uint32_t word, unsigned shift)
{
    return word >> shift & 15;
}

/* MOV: plain moves may use SP, but not to SP from SP; shifted ones may not. */
static bool legal_mov(uint32_t word)
{
    bool shifted = word & 0x70F0, sets_flags = word & 0x100000;
    unsigned d = field(word, 8), m = field(word, 0);
    if (d == 15 || m == 15)
        return false;
    return shifted || sets_flags ? d != 13 && m != 13 : d != 13 || m != 13;
}

/* ADD, SUB: the result is SP only if the operand is, with LSL by 3 at most for a register. */
static bool legal_sum_imm(uint32_t word)
{
    return field(word, 8) != 13 || field(word, 16) == 13;
}

static bool legal_sum_reg(uint32_t word)
{
    if (field(word, 8) != 13)
        return true;
    unsigned amount = (word >> 10 & 0x1C) | (word >> 6 & 3), type = word >> 4 & 3;
    return field(word, 16) == 13 && type == 0 && amount <= 3;
}

static bool legal_extract(uint32_t word)        /* the field ends within the register */
{
    unsigned lsb = (word >> 10 & 0x1C) | (word >> 6 & 3);
    return lsb + (word & 31) <= 31;
}

static bool legal_insert(uint32_t word)
{
    unsigned lsb = (word >> 10 & 0x1C) | (word >> 6 & 3);
    return (word & 31) >= lsb;
}

static bool legal_twice(uint32_t word)          /* Rm is encoded twice */
{
    return field(word, 16) == field(word, 0);
}

static bool legal_long(uint32_t word)           /* RdHi is not RdLo */
{
    return field(word, 8) != field(word, 12);
}

/* Write-back to the register that is transferred. */
static bool legal_writeback(uint32_t word)
{
    return !(word & 0x100) || field(word, 16) != field(word, 12);
}

static bool legal_dual_base(uint32_t word)
{
    unsigned n = field(word, 16);
    bool writeback = word & 0x200000;
    return !writeback || (n != 15 && n != field(word, 12) && n != field(word, 8));
}

static bool legal_load_dual(uint32_t word)
{
    return legal_dual_base(word) && field(word, 12) != field(word, 8);
}

static bool legal_store_exclusive(uint32_t word)
{
    unsigned d = field(word, 8);
    return d != field(word, 16) && d != field(word, 12);
}

static bool legal_store_exclusive_narrow(uint32_t word)
{
    unsigned d = field(word, 0);
    return d != field(word, 16) && d != field(word, 12);
}

static bool legal_list(uint32_t word)
{
    uint32_t list = word & 0xFFFF;
    bool writeback = word & 0x200000;
    return __builtin_popcount(list) >= 2 && (list & 0xC000) != 0xC000 &&
           !(writeback && list >> field(word, 16) & 1);
}

static bool legal_msr(uint32_t word)            /* the mask is 10 but for xPSR, where GE may join */
{
    unsigned mask = word >> 10 & 3, sysm = word & 0xFF;
    return mask == 2 || (mask && sysm < 4);
}

static bool legal_fp_memory(uint32_t word)      /* there is no D16 */
{
    return (word & 0x400100) != 0x400100;
}

static bool legal_fp_list(uint32_t word)
{
    bool doubles = word & 0x100;
    unsigned count = doubles ? (word & 0xFF) / 2 : word & 0xFF;
    unsigned first = doubles ? (word >> 18 & 16) | field(word, 12)
                             : field(word, 12) << 1 | (word >> 22 & 1);
    return count >= 1 && first + count <= (doubles ? 16u : 32u) && !(doubles && word & 1);
}

static bool legal_fp_pair(uint32_t word)        /* S31 has no successor, D16 does not exist */
{
    bool doubles = word & 0x100, to_core = word & 0x100000;
    bool is_last = (word & 0x2F) == 0x2F || (doubles && (word & 0x20));
    return !is_last && !(to_core && field(word, 12) == field(word, 16));
}

static bool legal_fixed(uint32_t word)          /* not more fraction bits than bits */
{
    unsigned imm5 = field(word, 0) << 1 | (word >> 5 & 1);
    return word & 0x80 || imm5 <= 16;
}

/* ---- the table ---- */

#define DATA_IMM(bits, rules, name, legal)                                                     \
    {0xFBE08000, 0xF0000000 | (bits), name##_imm, T_ALU, CONSTANT | (rules), 0, 0, legal}
#define DATA_REG(bits, rules, name, legal)                                                     \
    {0xFFE00000, 0xEA000000 | (bits), name##_reg, T_ALU, rules, 0x8000, 0, legal}
#define TEST_IMM(bits, rules, name)             /* S set, Rd = 15 */                           \
    {0xFBF08F00, 0xF0100F00 | (bits), name##_imm, T_ALU, CONSTANT | (rules), 0, 0, NULL}
#define TEST_REG(bits, rules, name)                                                            \
    {0xFFF00F00, 0xEA100F00 | (bits), name##_reg, T_ALU, rules, 0x8000, 0, NULL}
#define UNDEFINED(mask, bits) {mask, bits, NULL, T_ALU, 0, 0, 0, NULL}
#define ROW(mask, bits, name, timing, rules) {mask, bits, name, T_##timing, rules, 0, 0, NULL}
#define SHOULD(mask, bits, name, timing, rules, should_mask, should_bits)                      \
    {mask, bits, name, T_##timing, rules, should_mask, should_bits, NULL}
#define IF(mask, bits, name, timing, rules, legal)                                             \
    {mask, bits, name, T_##timing, rules, 0, 0, legal}

/* Loads and stores of one width, `size` being the bits that choose it. */
#define LOADS(size, name, rules)                                                               \
    ROW(0xFF7F0000, 0xF81F0000 | (size), name##_literal, LOAD, rules),                         \
    ROW(0xFFF00000, 0xF8900000 | (size), name##_imm12, LOAD, rules),                           \
    ROW(0xFFF00F00, 0xF8100E00 | (size), name##_user, LOAD, (rules) | NO_T),                   \
    UNDEFINED(0xFFF00D00, 0xF8100800 | (size)),                                                \
    IF(0xFFF00800, 0xF8100800 | (size), name##_imm8, LOAD, rules, legal_writeback),            \
    ROW(0xFFF00FC0, 0xF8100000 | (size), name##_reg, LOAD, (rules) | NO_M)
#define STORES(size, name, rules)                                                              \
    ROW(0xFFF00000, 0xF8800000 | (size), name##_imm12, STORE, rules),                          \
    ROW(0xFFF00F00, 0xF8000E00 | (size), name##_user, STORE, (rules) | NO_T),                  \
    UNDEFINED(0xFFF00D00, 0xF8000800 | (size)),                                                \
    IF(0xFFF00800, 0xF8000800 | (size), name##_imm8, STORE, rules, legal_writeback),           \
    ROW(0xFFF00FC0, 0xF8000000 | (size), name##_reg, STORE, (rules) | NO_M)
#define SIZE_H 0x00200000
#define SIZE_W 0x00400000
#define SIGNED 0x01000000

#define FP(mask, bits, name, timing, rules)                                                    \
    {mask, bits, name, T_##timing, NEEDS_FPU | (rules), 0, 0, NULL}
#define FP_SHOULD(mask, bits, name, timing, rules, should)                                     \
    {mask, bits, name, T_##timing, NEEDS_FPU | (rules), should, 0, NULL}
#define FP_IF(mask, bits, name, timing, rules, legal)                                          \
    {mask, bits, name, T_##timing, NEEDS_FPU | (rules), 0, 0, legal}

const struct pattern wide_patterns[] = {
    /* A5.3.1 data processing, modified immediate */
    TEST_IMM(0x00000000, NO_N, tst), DATA_IMM(0x00000000, NO_D | NO_N, and, NULL),
    DATA_IMM(0x00200000, NO_D | NO_N, bic, NULL),
    {0xFBEF8000, 0xF04F0000, mov_imm, T_ALU, CONSTANT | NO_D, 0, 0, NULL},
    DATA_IMM(0x00400000, NO_D | NO_N13, orr, NULL),
    {0xFBEF8000, 0xF06F0000, mvn_imm, T_ALU, CONSTANT | NO_D, 0, 0, NULL},
    DATA_IMM(0x00600000, NO_D | NO_N13, orn, NULL),
    TEST_IMM(0x00800000, NO_N, teq), DATA_IMM(0x00800000, NO_D | NO_N, eor, NULL),
    TEST_IMM(0x01000000, NO_N15, cmn), DATA_IMM(0x01000000, NO_D15 | NO_N15, add, legal_sum_imm),
    DATA_IMM(0x01400000, NO_D | NO_N, adc, NULL), DATA_IMM(0x01600000, NO_D | NO_N, sbc, NULL),
    TEST_IMM(0x01A00000, NO_N15, cmp), DATA_IMM(0x01A00000, NO_D15 | NO_N15, sub, legal_sum_imm),
    DATA_IMM(0x01C00000, NO_D | NO_N, rsb, NULL),
    /* A5.3.3 data processing, plain binary immediate */
    ROW(0xFBFF8000, 0xF20F0000, adr_add, ALU, NO_D),
    ROW(0xFBFF8000, 0xF2AF0000, adr_sub, ALU, NO_D),
    IF(0xFBF08000, 0xF2000000, add_wide, ALU, NO_D15, legal_sum_imm),
    IF(0xFBF08000, 0xF2A00000, sub_wide, ALU, NO_D15, legal_sum_imm),
    ROW(0xFBF08000, 0xF2400000, movw, ALU, NO_D), ROW(0xFBF08000, 0xF2C00000, movt, ALU, NO_D),
    SHOULD(0xFBF0F0C0, 0xF3200000, ssat16, DSP, NEEDS_DSP | NO_D | NO_N, 0x04000030, 0),
    SHOULD(0xFBF0F0C0, 0xF3A00000, usat16, DSP, NEEDS_DSP | NO_D | NO_N, 0x04000030, 0),
    UNDEFINED(0xFBF0F0C0, 0xF3200000), UNDEFINED(0xFBF0F0C0, 0xF3A00000),
    SHOULD(0xFBD08000, 0xF3000000, ssat, ALU, NO_D | NO_N, 0x04000020, 0),
    SHOULD(0xFBD08000, 0xF3800000, usat, ALU, NO_D | NO_N, 0x04000020, 0),
    {0xFBF08000, 0xF3400000, sbfx, T_ALU, NO_D | NO_N, 0x04000020, 0, legal_extract},
    {0xFBF08000, 0xF3C00000, ubfx, T_ALU, NO_D | NO_N, 0x04000020, 0, legal_extract},
    {0xFBFF8000, 0xF36F0000, bfc, T_ALU, NO_D, 0x04000020, 0, legal_insert},
    {0xFBF08000, 0xF3600000, bfi, T_ALU, NO_D | NO_N13, 0x04000020, 0, legal_insert},
    /* A5.3.4 branches and miscellaneous control */
    ROW(0xF800D000, 0xF000D000, branch_link, BRANCH, BRANCHES),
    ROW(0xF800D000, 0xF0009000, branch, BRANCH, BRANCHES),
    {0xFFE0D000, 0xF3808000, move_to_special, T_SYSTEM, NO_N, 0x00102300, 0, legal_msr},
    SHOULD(0xFFE0D000, 0xF3E08000, move_from_special, SYSTEM, NO_D, 0x001F2000, 0x000F0000),
    SHOULD(0xFFF0D7F0, 0xF3A080F0, hint, HINT, 0, 0x000F2800, 0x000F0000),      /* DBG */
    SHOULD(0xFFF0D700, 0xF3A08000, hint, HINT, 0, 0x000F2800, 0x000F0000),
    SHOULD(0xFFF0D0F0, 0xF3B08020, clrex, HINT, 0, 0x000F2F0F, 0x000F0F0F),
    SHOULD(0xFFF0D0F0, 0xF3B08040, barrier, BARRIER, 0, 0x000F2F00, 0x000F0F00),
    SHOULD(0xFFF0D0F0, 0xF3B08050, barrier, BARRIER, 0, 0x000F2F00, 0x000F0F00),
    SHOULD(0xFFF0D0F0, 0xF3B08060, barrier, BARRIER, 0, 0x000F2F00, 0x000F0F00),
    UNDEFINED(0xFB80D000, 0xF3808000), UNDEFINED(0xF800D000, 0xF000C000),
    ROW(0xF800D000, 0xF0008000, branch_if, NO_BRANCH, NOT_IN_IT),
    /* A5.3.5 load and store multiple */
    {0xFFD00000, 0xE8800000, store_multiple, T_MULTIPLE, NO_N15, 0xA000, 0, legal_list},
    {0xFFD00000, 0xE9000000, store_multiple, T_MULTIPLE, NO_N15, 0xA000, 0, legal_list},
    {0xFFD00000, 0xE8900000, load_multiple, T_MULTIPLE, NO_N15 | BRANCHES_LIST, 0x2000, 0,
     legal_list},
    {0xFFD00000, 0xE9100000, load_multiple, T_MULTIPLE, NO_N15 | BRANCHES_LIST, 0x2000, 0,
     legal_list},
    /* A5.3.6 load and store dual, exclusive, table branch */
    IF(0xFFF00000, 0xE8400000, store_exclusive, EXCLUSIVE, NO_D | NO_T | NO_N15,
       legal_store_exclusive),
    SHOULD(0xFFF00000, 0xE8500000, load_exclusive, EXCLUSIVE, NO_T | NO_N15, 0xF00, 0xF00),
    {0xFFF000E0, 0xE8C00040, store_exclusive_narrow, T_EXCLUSIVE, NO_M | NO_T | NO_N15, 0xF00,
     0xF00, legal_store_exclusive_narrow},
    SHOULD(0xFFF000E0, 0xE8D00040, load_exclusive_narrow, EXCLUSIVE, NO_T | NO_N15, 0xF0F, 0xF0F),
    SHOULD(0xFFF000E0, 0xE8D00000, table_branch, TABLE_BRANCH, NO_N13 | NO_M | BRANCHES, 0xFF00,
           0xF000),
    UNDEFINED(0xFF600000, 0xE8400000),
    IF(0xFE500000, 0xE8500000, load_dual, MULTIPLE, NO_T | NO_D, legal_load_dual),
    IF(0xFE500000, 0xE8400000, store_dual, MULTIPLE, NO_T | NO_D | NO_N15, legal_dual_base),
    /* A5.3.7 to A5.3.10 single loads and stores; hints with Rt = 15 */
    ROW(0xFE5FF000, 0xF81FF000, preload, PRELOAD, 0),
    ROW(0xFED0F000, 0xF890F000, preload, PRELOAD, 0),
    ROW(0xFED0FF00, 0xF810FC00, preload, PRELOAD, 0),
    ROW(0xFED0FFC0, 0xF810F000, preload, PRELOAD, NO_M),
    LOADS(0, ldrb, NO_T), LOADS(SIZE_H, ldrh, NO_T), LOADS(SIZE_W, ldr, BRANCHES_T15),
    LOADS(SIGNED, ldrsb, NO_T), LOADS(SIGNED | SIZE_H, ldrsh, NO_T),
    UNDEFINED(0xFF1F0000, 0xF80F0000),
    STORES(0, strb, NO_T), STORES(SIZE_H, strh, NO_T), STORES(SIZE_W, str, NO_T15),
    /* A5.3.11 data processing, shifted register */
    TEST_REG(0x00000000, NO_N | NO_M, tst), DATA_REG(0x00000000, NO_D | NO_N | NO_M, and, NULL),
    DATA_REG(0x00200000, NO_D | NO_N | NO_M, bic, NULL),
    {0xFFEF0000, 0xEA4F0000, mov_reg, T_ALU, 0, 0x8000, 0, legal_mov},
    DATA_REG(0x00400000, NO_D | NO_N13 | NO_M, orr, NULL),
    {0xFFEF0000, 0xEA6F0000, mvn_reg, T_ALU, NO_D | NO_M, 0x8000, 0, NULL},
    DATA_REG(0x00600000, NO_D | NO_N13 | NO_M, orn, NULL),
    TEST_REG(0x00800000, NO_N | NO_M, teq), DATA_REG(0x00800000, NO_D | NO_N | NO_M, eor, NULL),
    SHOULD(0xFFF00010, 0xEAC00000, pkh, DSP, NEEDS_DSP | NO_D | NO_N | NO_M, 0x8000, 0),
    TEST_REG(0x01000000, NO_N15 | NO_M, cmn),
    DATA_REG(0x01000000, NO_D15 | NO_N15 | NO_M, add, legal_sum_reg),
    DATA_REG(0x01400000, NO_D | NO_N | NO_M, adc, NULL),
    DATA_REG(0x01600000, NO_D | NO_N | NO_M, sbc, NULL),
    TEST_REG(0x01A00000, NO_N15 | NO_M, cmp),
    DATA_REG(0x01A00000, NO_D15 | NO_N15 | NO_M, sub, legal_sum_reg),
    DATA_REG(0x01C00000, NO_D | NO_N | NO_M, rsb, NULL),
    /* A5.3.12 to A5.3.15 data processing, register */
    ROW(0xFF80F0F0, 0xFA00F000, shift_reg, ALU, NO_D | NO_N | NO_M),
    SHOULD(0xFFAFF080, 0xFA0FF080, extend, ALU, NO_D | NO_M, 0x40, 0),
    SHOULD(0xFFEFF080, 0xFA2FF080, extend_16, DSP, NEEDS_DSP | NO_D | NO_M, 0x40, 0),
    SHOULD(0xFFA0F080, 0xFA00F080, extend_add, DSP, NEEDS_DSP | NO_D | NO_N13 | NO_M, 0x40, 0),
    SHOULD(0xFFE0F080, 0xFA20F080, extend_16, DSP, NEEDS_DSP | NO_D | NO_N13 | NO_M, 0x40, 0),
    UNDEFINED(0xFF80F0B0, 0xFA80F030), UNDEFINED(0xFFB0F080, 0xFAB0F000),
    ROW(0xFF80F080, 0xFA80F000, parallel, DSP, NEEDS_DSP | NO_D | NO_N | NO_M),
    ROW(0xFFF0F0C0, 0xFA80F080, saturating_sum, DSP, NEEDS_DSP | NO_D | NO_N | NO_M),
    IF(0xFFF0F0F0, 0xFA90F080, rev, ALU, NO_D | NO_M, legal_twice),
    IF(0xFFF0F0F0, 0xFA90F090, rev16, ALU, NO_D | NO_M, legal_twice),
    IF(0xFFF0F0F0, 0xFA90F0A0, rbit, ALU, NO_D | NO_M, legal_twice),
    IF(0xFFF0F0F0, 0xFA90F0B0, revsh, ALU, NO_D | NO_M, legal_twice),
    ROW(0xFFF0F0F0, 0xFAA0F080, sel, DSP, NEEDS_DSP | NO_D | NO_N | NO_M),
    IF(0xFFF0F0F0, 0xFAB0F080, clz, ALU, NO_D | NO_M, legal_twice),
    /* A5.3.16 multiply; Ra = 15 means nothing to add */
    ROW(0xFFF0F0F0, 0xFB00F000, mul, MULTIPLY, NO_D | NO_N | NO_M),
    ROW(0xFFF000F0, 0xFB000000, mla, MULTIPLY_ADD, NO_D | NO_N | NO_M | NO_T13),
    ROW(0xFFF000F0, 0xFB000010, mls, MULTIPLY_ADD, NO_D | NO_N | NO_M | NO_T),
    ROW(0xFFF000C0, 0xFB100000, smlaxy, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T13),
    ROW(0xFFF000E0, 0xFB200000, smlad, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T13),
    ROW(0xFFF000E0, 0xFB300000, smlaw, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T13),
    ROW(0xFFF000E0, 0xFB400000, smlsd, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T13),
    ROW(0xFFF000E0, 0xFB500000, smmla, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T13),
    ROW(0xFFF000E0, 0xFB600000, smmls, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T),
    ROW(0xFFF000F0, 0xFB700000, usada8, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T13),
    /* A5.3.17 long multiply, divide */
    IF(0xFFF000F0, 0xFB800000, smull, LONG_MULTIPLY, NO_D | NO_N | NO_M | NO_T, legal_long),
    SHOULD(0xFFF000F0, 0xFB9000F0, sdiv, DIVIDE, NO_D | NO_N | NO_M, 0xF000, 0xF000),
    IF(0xFFF000F0, 0xFBA00000, umull, LONG_MULTIPLY, NO_D | NO_N | NO_M | NO_T, legal_long),
    SHOULD(0xFFF000F0, 0xFBB000F0, udiv, DIVIDE, NO_D | NO_N | NO_M, 0xF000, 0xF000),
    IF(0xFFF000F0, 0xFBC00000, smlal, LONG_MULTIPLY_ADD, NO_D | NO_N | NO_M | NO_T, legal_long),
    IF(0xFFF000C0, 0xFBC00080, smlalxy, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T, legal_long),
    IF(0xFFF000E0, 0xFBC000C0, smlald, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T, legal_long),
    IF(0xFFF000E0, 0xFBD000C0, smlsld, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T, legal_long),
    IF(0xFFF000F0, 0xFBE00000, umlal, LONG_MULTIPLY_ADD, NO_D | NO_N | NO_M | NO_T, legal_long),
    IF(0xFFF000F0, 0xFBE00060, umaal, DSP, NEEDS_DSP | NO_D | NO_N | NO_M | NO_T, legal_long),
    /* A6.4 floating-point arithmetic, single precision */
    FP(0xFFA00F10, 0xEE000A00, fp_multiply_add, FP_FUSED, 0),       /* VMLA, VMLS, VNMLA, VNMLS */
    FP(0xFFA00F10, 0xEE200A00, fp_arithmetic, FP, 0),               /* VMUL, VNMUL, VADD, VSUB */
    FP(0xFFB00F50, 0xEE800A00, fp_divide, FP_DIVIDE, 0),
    FP(0xFFB00F10, 0xEE900A00, fp_fused, FP_FUSED, 0),              /* VFNMA, VFNMS */
    FP(0xFFB00F10, 0xEEA00A00, fp_fused, FP_FUSED, 0),              /* VFMA, VFMS */
    FP_SHOULD(0xFFB00F50, 0xEEB00A00, fp_move_imm, FP_MOVE, 0, 0xA0),
    FP(0xFFBF0F50, 0xEEB00A40, fp_unary, FP_MOVE, 0),               /* VMOV, VABS */
    FP(0xFFBF0FD0, 0xEEB10A40, fp_unary, FP_MOVE, 0),               /* VNEG */
    FP(0xFFBF0FD0, 0xEEB10AC0, fp_sqrt, FP_DIVIDE, 0),
    FP(0xFFBE0F50, 0xEEB20A40, fp_half, FP, 0),
    FP(0xFFBF0F50, 0xEEB40A40, fp_compare, FP, 0),
    FP_SHOULD(0xFFBF0F50, 0xEEB50A40, fp_compare, FP, 0, 0x2F),
    FP(0xFFBF0F50, 0xEEB80A40, fp_from_int, FP, 0),
    FP(0xFFBE0F50, 0xEEBC0A40, fp_to_int, FP, 0),
    FP_IF(0xFFBA0F50, 0xEEBA0A40, fp_fixed, FP, 0, legal_fixed),
    /* A6.5 to A6.7 floating-point loads, stores, transfers */
    FP_IF(0xFFE00ED0, 0xEC400A10, fp_move_pair, FP_MOVE_2, NO_T | NO_N, legal_fp_pair),
    UNDEFINED(0xFFA00E00, 0xEC000A00),
    FP_IF(0xFF300E00, 0xED100A00, fp_load, LOAD, 0, legal_fp_memory),
    FP_IF(0xFF300E00, 0xED000A00, fp_store, STORE, NO_N15, legal_fp_memory),
    FP_IF(0xFF900E00, 0xEC900A00, fp_load_multiple, MULTIPLE, NO_N15, legal_fp_list),
    FP_IF(0xFF900E00, 0xEC800A00, fp_store_multiple, MULTIPLE, NO_N15, legal_fp_list),
    FP_IF(0xFFB00E00, 0xED300A00, fp_load_multiple, MULTIPLE, NO_N15, legal_fp_list),
    FP_IF(0xFFB00E00, 0xED200A00, fp_store_multiple, MULTIPLE, NO_N15, legal_fp_list),
    FP_SHOULD(0xFFE00F10, 0xEE000A10, fp_move_core, FP_MOVE, NO_T, 0x6F),
    FP_SHOULD(0xFFC00F70, 0xEE000B10, fp_move_scalar, FP_MOVE, NO_T, 0x8F),
    FP_SHOULD(0xFFFF0F10, 0xEEE10A10, fp_write_status, FP_MOVE, NO_T, 0xEF),
    FP_SHOULD(0xFFFF0F10, 0xEEF10A10, fp_read_status, FP_MOVE, NO_T13, 0xEF),
    /* A5.3.18 other coprocessors, and the FPU of a core without one */
    UNDEFINED(0xEF000000, 0xEF000000), UNDEFINED(0xEFE00000, 0xEC000000),
    {0xEC000E00, 0xEC000A00, NULL, T_ALU, NEEDS_FPU, 0, 0, NULL},
    ROW(0xEC000000, 0xEC000000, no_coprocessor, ALU, 0),
    {0, 0, NULL, T_ALU, 0, 0, 0, NULL},
};
