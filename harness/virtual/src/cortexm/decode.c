/* SPDX-License-Identifier: MIT
 *
 * decode.c -- the 16-bit encodings as a table of patterns (DDI 0419 and DDI 0403, section A5.2); what
 * a core has besides is in its halfwords.h. */
#include "decode.h"

#include <stdbool.h>
#include <stddef.h>

#include "halfwords.h"

uint8_t decode_table[65536];

struct pattern {
    uint16_t mask, bits;
    uint8_t op;
};

/* The first that fits counts. UNPREDICTABLE encodings stand before the instruction they spoil. */
static const struct pattern patterns[] = {
    OWN_PATTERNS_FIRST
    /* A5.2.1 shift, add, subtract, move, compare. LSL #0 is MOVS. */
    {0xF800, 0x0000, OP_LSL_IMM}, {0xF800, 0x0800, OP_LSR_IMM}, {0xF800, 0x1000, OP_ASR_IMM},
    {0xFE00, 0x1800, OP_ADD_REG}, {0xFE00, 0x1A00, OP_SUB_REG},
    {0xFE00, 0x1C00, OP_ADD_IMM3}, {0xFE00, 0x1E00, OP_SUB_IMM3},
    {0xF800, 0x2000, OP_MOV_IMM}, {0xF800, 0x2800, OP_CMP_IMM},
    {0xF800, 0x3000, OP_ADD_IMM8}, {0xF800, 0x3800, OP_SUB_IMM8},
    /* A5.2.2 data processing */
    {0xFFC0, 0x4000, OP_AND}, {0xFFC0, 0x4040, OP_EOR}, {0xFFC0, 0x4080, OP_LSL_REG},
    {0xFFC0, 0x40C0, OP_LSR_REG}, {0xFFC0, 0x4100, OP_ASR_REG}, {0xFFC0, 0x4140, OP_ADC},
    {0xFFC0, 0x4180, OP_SBC}, {0xFFC0, 0x41C0, OP_ROR}, {0xFFC0, 0x4200, OP_TST},
    {0xFFC0, 0x4240, OP_RSB}, {0xFFC0, 0x4280, OP_CMP_REG}, {0xFFC0, 0x42C0, OP_CMN},
    {0xFFC0, 0x4300, OP_ORR}, {0xFFC0, 0x4340, OP_MUL}, {0xFFC0, 0x4380, OP_BIC},
    {0xFFC0, 0x43C0, OP_MVN},
    /* A5.2.3 special data, branch and exchange; both-PC ADD, low or PC CMP, PC or SBZ bits of BX */
    {0xFFFF, 0x44FF, OP_UNPREDICTABLE}, {0xFF00, 0x4400, OP_ADD_HIGH},
    {0xFFC0, 0x4500, OP_UNPREDICTABLE}, {0xFF78, 0x4578, OP_UNPREDICTABLE},
    {0xFF87, 0x4587, OP_UNPREDICTABLE}, {0xFF00, 0x4500, OP_CMP_HIGH},
    {0xFF00, 0x4600, OP_MOV_HIGH},
    {0xFF78, 0x4778, OP_UNPREDICTABLE},
    {0xFF87, 0x4700, OP_BX}, {0xFF87, 0x4780, OP_BLX}, {0xFF00, 0x4700, OP_UNPREDICTABLE},
    {0xF800, 0x4800, OP_LDR_LITERAL},
    /* A5.2.4 single load and store */
    {0xFE00, 0x5000, OP_STR_REG}, {0xFE00, 0x5200, OP_STRH_REG}, {0xFE00, 0x5400, OP_STRB_REG},
    {0xFE00, 0x5600, OP_LDRSB_REG}, {0xFE00, 0x5800, OP_LDR_REG}, {0xFE00, 0x5A00, OP_LDRH_REG},
    {0xFE00, 0x5C00, OP_LDRB_REG}, {0xFE00, 0x5E00, OP_LDRSH_REG},
    {0xF800, 0x6000, OP_STR_IMM}, {0xF800, 0x6800, OP_LDR_IMM}, {0xF800, 0x7000, OP_STRB_IMM},
    {0xF800, 0x7800, OP_LDRB_IMM}, {0xF800, 0x8000, OP_STRH_IMM}, {0xF800, 0x8800, OP_LDRH_IMM},
    {0xF800, 0x9000, OP_STR_SP}, {0xF800, 0x9800, OP_LDR_SP},
    {0xF800, 0xA000, OP_ADR}, {0xF800, 0xA800, OP_ADD_RD_SP},
    /* A5.2.5 miscellaneous */
    {0xFF80, 0xB000, OP_ADD_SP_IMM}, {0xFF80, 0xB080, OP_SUB_SP_IMM},
    {0xFFC0, 0xB200, OP_SXTH}, {0xFFC0, 0xB240, OP_SXTB},
    {0xFFC0, 0xB280, OP_UXTH}, {0xFFC0, 0xB2C0, OP_UXTB},
    {0xFFFF, 0xB400, OP_UNPREDICTABLE}, {0xFE00, 0xB400, OP_PUSH},
    {0xFFFF, 0xBC00, OP_UNPREDICTABLE}, {0xFE00, 0xBC00, OP_POP},
    {0xFFEF, 0xB662, OP_CPS}, {0xFFE0, 0xB660, OP_UNPREDICTABLE},
    {0xFFC0, 0xBA00, OP_REV}, {0xFFC0, 0xBA40, OP_REV16}, {0xFFC0, 0xBAC0, OP_REVSH},
    {0xFF00, 0xBE00, OP_BKPT},
    {0xFFFF, 0xBF20, OP_WFE}, {0xFFFF, 0xBF30, OP_WFI}, {0xFFFF, 0xBF40, OP_SEV},
    {0xFF0F, 0xBF00, OP_NOP},
    {0xF8FF, 0xC000, OP_UNPREDICTABLE}, {0xF800, 0xC000, OP_STM},
    {0xF8FF, 0xC800, OP_UNPREDICTABLE}, {0xF800, 0xC800, OP_LDM},
    /* A5.2.6 conditional branch, supervisor call */
    {0xFF00, 0xDE00, OP_UDF}, {0xFF00, 0xDF00, OP_SVC},
    {0xFF00, 0xD000, OP_BEQ}, {0xFF00, 0xD100, OP_BNE}, {0xFF00, 0xD200, OP_BCS},
    {0xFF00, 0xD300, OP_BCC}, {0xFF00, 0xD400, OP_BMI}, {0xFF00, 0xD500, OP_BPL},
    {0xFF00, 0xD600, OP_BVS}, {0xFF00, 0xD700, OP_BVC}, {0xFF00, 0xD800, OP_BHI},
    {0xFF00, 0xD900, OP_BLS}, {0xFF00, 0xDA00, OP_BGE}, {0xFF00, 0xDB00, OP_BLT},
    {0xFF00, 0xDC00, OP_BGT}, {0xFF00, 0xDD00, OP_BLE},
    {0xF800, 0xE000, OP_B},
    OWN_PATTERNS_LAST
};

/* STM whose base is in the list but not its lowest stores an UNKNOWN value (DDI 0419, A6.7.58). */
static bool stores_unknown_base(unsigned halfword)
{
    unsigned base = halfword >> 8 & 7, list = halfword & 0xFF;
    return (halfword & 0xF800) == 0xC000 && (list >> base & 1) && (list & ((1u << base) - 1));
}

static uint8_t decode(unsigned halfword)
{
    if (own_unpredictable(halfword) || stores_unknown_base(halfword))
        return OP_UNPREDICTABLE;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if ((halfword & patterns[i].mask) == patterns[i].bits)
            return patterns[i].op;
    return OP_UNDEFINED;
}

void decode_init(void)
{
    for (unsigned halfword = 0; halfword < 65536; halfword++)
        decode_table[halfword] = decode(halfword);
}
