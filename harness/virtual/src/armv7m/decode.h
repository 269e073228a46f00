/* SPDX-License-Identifier: MIT
 *
 * decode.h -- which instruction a halfword is (the ARM, section A5.2), worked out once for all of
 * them. Those from OP_LSL_IMM to OP_MVN set the flags only outside IT blocks, but for the compares,
 * which come first. */
#ifndef DECODE_H
#define DECODE_H

#include <stdint.h>

enum op {
    OP_UNDEFINED, OP_UNPREDICTABLE,
    OP_CMP_IMM, OP_TST, OP_CMP_REG, OP_CMN,
    OP_LSL_IMM, OP_LSR_IMM, OP_ASR_IMM,
    OP_ADD_REG, OP_SUB_REG, OP_ADD_IMM3, OP_SUB_IMM3,
    OP_MOV_IMM, OP_ADD_IMM8, OP_SUB_IMM8,
    OP_AND, OP_EOR, OP_LSL_REG, OP_LSR_REG, OP_ASR_REG, OP_ADC, OP_SBC, OP_ROR,
    OP_RSB, OP_ORR, OP_MUL, OP_BIC, OP_MVN,
    OP_ADD_HIGH, OP_CMP_HIGH, OP_MOV_HIGH, OP_BX, OP_BLX,
    OP_LDR_LITERAL,
    OP_STR_REG, OP_STRH_REG, OP_STRB_REG, OP_LDRSB_REG,
    OP_LDR_REG, OP_LDRH_REG, OP_LDRB_REG, OP_LDRSH_REG,
    OP_STR_IMM, OP_LDR_IMM, OP_STRB_IMM, OP_LDRB_IMM, OP_STRH_IMM, OP_LDRH_IMM,
    OP_STR_SP, OP_LDR_SP,
    OP_ADR, OP_ADD_RD_SP, OP_ADD_SP_IMM, OP_SUB_SP_IMM,
    OP_SXTH, OP_SXTB, OP_UXTH, OP_UXTB,
    OP_PUSH, OP_POP, OP_CPS, OP_REV, OP_REV16, OP_REVSH, OP_BKPT,
    OP_CBZ, OP_IT, OP_NOP, OP_WFE, OP_WFI, OP_SEV,
    OP_STM, OP_LDM,
    OP_BEQ, OP_BNE, OP_BCS, OP_BCC, OP_BMI, OP_BPL, OP_BVS,
    OP_BVC, OP_BHI, OP_BLS, OP_BGE, OP_BLT, OP_BGT, OP_BLE,
    OP_UDF, OP_SVC, OP_B,
    OP_WIDE,                    /* first halfword of a 32-bit instruction */
    OP_COUNT
};

/* One `enum op` for each halfword; filled by decode_init. */
extern uint8_t decode_table[65536];

void decode_init(void);

#endif
