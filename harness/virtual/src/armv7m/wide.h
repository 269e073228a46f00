/* SPDX-License-Identifier: MIT
 *
 * wide.h -- the 32-bit instructions (the ARM, section A5.3). A handler gets the decoded
 * instruction and does what it says; the loop has already moved the PC and will add the cycles of
 * its row. It returns false after `refuse`, having changed nothing but memory. What its encoding
 * forbids has been sorted out in wide.c, so handlers check only what depends on register values. */
#ifndef WIDE_H
#define WIDE_H

#include "cpu.h"

enum in_it { IT_ANYWHERE, IT_LAST, IT_NEVER };

/* The instruction with these bits, from the cache if it has been met before. */
const struct wide *wide_decode(struct cpu *cpu, uint32_t word);

/* Fields. */
#define RN(w) ((w)->word >> 16 & 15)
#define RT(w) ((w)->word >> 12 & 15)    /* also Ra and RdLo */
#define RD(w) ((w)->word >> 8 & 15)     /* also RdHi and Rt2 */
#define RM(w) ((w)->word & 15)
#define BIT(w, n) ((w)->word >> (n) & 1)
#define IMM12(w) (((w)->word >> 15 & 0x800) | ((w)->word >> 4 & 0x700) | ((w)->word & 0xFF))
#define IMM5(w) (((w)->word >> 10 & 0x1C) | ((w)->word >> 6 & 3))       /* imm3:imm2 */

typedef bool wide_handler(struct cpu *cpu, const struct wide *w);

/* data.c */
wide_handler and_imm, and_reg, tst_imm, tst_reg, bic_imm, bic_reg, orr_imm, orr_reg, mov_imm;
wide_handler mov_reg;
wide_handler orn_imm, orn_reg, mvn_imm, mvn_reg, eor_imm, eor_reg, teq_imm, teq_reg, add_imm;
wide_handler add_reg;
wide_handler cmn_imm, cmn_reg, adc_imm, adc_reg, sbc_imm, sbc_reg, sub_imm, sub_reg, cmp_imm;
wide_handler cmp_reg;
wide_handler rsb_imm, rsb_reg, add_wide, sub_wide, adr_add, adr_sub, movw, movt, shift_reg;
/* bits.c */
wide_handler ssat, usat, sbfx, ubfx, bfi, bfc, clz, rbit, rev, rev16, revsh, extend;
/* multiply.c */
wide_handler mul, mla, mls, smull, umull, smlal, umlal, sdiv, udiv;
wide_handler smlaxy, smlad, smlaw, smlsd, smmla, smmls, smlalxy, smlald, smlsld, umaal;
/* dsp.c */
wide_handler pkh, sel, ssat16, usat16, saturating_sum, parallel, extend_add, extend_16, usada8;
/* load_store.c */
#define LOAD_HANDLERS(name) name##_imm12, name##_imm8, name##_reg, name##_user, name##_literal
#define STORE_HANDLERS(name) name##_imm12, name##_imm8, name##_reg, name##_user
wide_handler LOAD_HANDLERS(ldr), LOAD_HANDLERS(ldrh), LOAD_HANDLERS(ldrsh), LOAD_HANDLERS(ldrb);
wide_handler LOAD_HANDLERS(ldrsb), STORE_HANDLERS(str), STORE_HANDLERS(strh), STORE_HANDLERS(strb);
wide_handler preload;
/* multiple.c */
wide_handler load_dual, store_dual, load_exclusive, store_exclusive, load_exclusive_narrow;
wide_handler store_exclusive_narrow, table_branch, load_multiple, store_multiple;
/* branch.c */
wide_handler branch, branch_if, branch_link, move_to_special, move_from_special, barrier, clrex;
wide_handler hint, no_coprocessor;
/* fp_data.c, fp_convert.c, fp_move.c */
wide_handler fp_arithmetic, fp_divide, fp_multiply_add, fp_fused, fp_unary, fp_sqrt, fp_compare;
wide_handler fp_to_int, fp_from_int, fp_fixed, fp_half;
wide_handler fp_move_imm, fp_move_core, fp_move_pair, fp_move_scalar, fp_read_status;
wide_handler fp_write_status;
wide_handler fp_load, fp_store, fp_load_multiple, fp_store_multiple;

/* Bits 1:0 of the stack pointer are always zero (the ARM, section B1.4.2). */
static inline void set_sp(struct cpu *cpu, uint32_t value)
{
    value &= ~3u;
    cpu->r[SP] = value;
    if (value < cpu->min_sp)
        cpu->min_sp = value;
}

static inline void write_register(struct cpu *cpu, unsigned number, uint32_t value)
{
    if (__builtin_expect(number == SP, 0))
        set_sp(cpu, value);
    else
        cpu->r[number] = value;
}

/* ---- branch.c, for both lengths ---- */

bool condition_holds(const struct cpu *cpu, unsigned condition);
/* Bit 0 of the target chooses the instruction set. */
void branch_exchange(struct cpu *cpu, uint32_t target);
/* BX, POP {PC}, LDR PC: the same, but EXC_RETURN in Handler mode returns. */
void write_pc(struct cpu *cpu, uint32_t target);
void change_masks(struct cpu *cpu, unsigned halfword);      /* CPS */
void wait_for_interrupt(struct cpu *cpu);
void wait_for_event(struct cpu *cpu);

/* ---- multiple.c: the 16-bit ones, with their cycles ---- */

bool push(struct cpu *cpu, unsigned halfword);
bool pop(struct cpu *cpu, unsigned halfword);
bool store_multiple_low(struct cpu *cpu, unsigned halfword);
bool load_multiple_low(struct cpu *cpu, unsigned halfword);

#endif
