/* SPDX-License-Identifier: MIT
 *
 * timing.h -- what each instruction costs, in core cycles, with zero wait states: the least and the
 * most.
 *
 * Ref: ARM 100166_0001, Cortex-M4 TRM, tables 3-1 (instructions) and 7-1 (floating point);
 *      ARM DDI 0337I, Cortex-M3 TRM, table 3-1, where the M3 differs (its own columns).
 *
 * P, the pipeline refill after a branch, is 1..3: "depending on the alignment and width of the
 * target instruction, and whether the processor manages to speculate the address early". A load or
 * store is 2, or 1 when pipelined with a neighbour; a store can hide in the write buffer. IT is 1,
 * or 0 when folded. Rows marked ASSUMED are in no table; see docs/virtual-boards.md. */
#ifndef TIMING_H
#define TIMING_H

#include <stdint.h>

/* name, M4 least, M4 most, M3 least, M3 most */
#define TIMINGS(ROW)                                                                           \
    ROW(ALU, 1, 1, 1, 1)                /* moves, sums, logic, shifts, bit fields, saturation */ \
    ROW(PC_WRITE, 2, 4, 2, 4)           /* ADD, MOV to the PC: 1 + P */                        \
    ROW(MULTIPLY, 1, 1, 1, 1)           /* MUL */                                              \
    ROW(MULTIPLY_ADD, 1, 1, 2, 2)       /* MLA, MLS */                                         \
    ROW(LONG_MULTIPLY, 1, 1, 3, 5)      /* SMULL, UMULL */                                     \
    ROW(LONG_MULTIPLY_ADD, 1, 1, 4, 7)  /* SMLAL, UMLAL */                                     \
    ROW(DSP, 1, 1, 1, 1)                /* the DSP extension, its multiplications included */  \
    ROW(DIVIDE, 2, 12, 2, 12)           /* SDIV, UDIV: fewer for close operands, early end */  \
    ROW(LOAD, 1, 2, 1, 2)               /* LDR of any width */                                 \
    ROW(STORE, 1, 2, 1, 2)              /* STR of any width */                                 \
    ROW(UNALIGNED, 1, 2, 1, 2)          /* ASSUMED: besides; it becomes two or three accesses */ \
    ROW(PRELOAD, 1, 1, 1, 1)            /* PLD, PLI: no operation */                           \
    ROW(EXCLUSIVE, 2, 2, 2, 2)          /* LDREX, STREX */                                     \
    ROW(MULTIPLE, 1, 1, 1, 1)           /* LDM, STM, PUSH, POP, LDRD, STRD: 1 + N ... */       \
    ROW(TRANSFER, 1, 1, 1, 1)           /* ... this for each register, LR and PC included */   \
    ROW(REFILL, 1, 3, 1, 3)             /* P: besides, when a load has written the PC */       \
    ROW(TABLE_BRANCH, 3, 5, 3, 5)       /* TBB, TBH: 2 + P */                                  \
    ROW(BRANCH, 2, 4, 2, 4)             /* taken, B, BL, BX, BLX, CBZ: 1 + P */                \
    ROW(NO_BRANCH, 1, 1, 1, 1)          /* B<cond>, CBZ not taken */                           \
    ROW(SYSTEM, 1, 2, 1, 2)             /* MRS, MSR, CPS */                                    \
    ROW(BARRIER, 1, 4, 1, 4)            /* DMB, DSB 1 + B with B from 0; ISB 1 + P */          \
    ROW(IT, 0, 1, 0, 1)                                                                        \
    ROW(HINT, 1, 1, 1, 1)               /* NOP, SEV, CLREX */                                  \
    ROW(WAIT, 1, 1, 1, 1)               /* WFI, WFE, besides the time asleep */                \
    ROW(SKIPPED, 1, 1, 1, 1)            /* ASSUMED: in an IT block, its condition false */     \
    ROW(FP, 1, 2, 1, 2)                 /* one more if the next instruction needs the result */ \
    ROW(FP_MOVE, 1, 1, 1, 1)            /* VMOV, VMRS, VMSR */                                 \
    ROW(FP_MOVE_2, 2, 2, 2, 2)          /* VMOV of two registers */                            \
    ROW(FP_FUSED, 3, 4, 3, 4)           /* VMLA, VFMA and their kind */                        \
    ROW(FP_DIVIDE, 14, 15, 14, 15)      /* VDIV, VSQRT */                                      \
    ROW(EXCEPTION_ENTRY, 12, 12, 12, 12)/* 100166, "exception latency" */                      \
    ROW(FP_ENTRY, 0, 17, 0, 17)         /* besides: 0 when stacked lazily and not needed */    \
    ROW(TAIL_CHAIN, 6, 6, 6, 6)         /* same */                                             \
    ROW(EXCEPTION_RETURN, 10, 12, 10, 12)/* ASSUMED: eight loads and a refill, besides the BX */

#define TIMING_LIMITS(name, m4_lo, m4_hi, m3_lo, m3_hi)                                        \
    LO_##name = m4_lo, HI_##name = m4_hi,
enum { TIMINGS(TIMING_LIMITS) TIMING_LIMITS_END };

#define TIMING_NAME(name, m4_lo, m4_hi, m3_lo, m3_hi) T_##name,
enum timing { TIMINGS(TIMING_NAME) T_COUNT };

struct limits {
    uint8_t lo, hi;
};

/* Adds a row in which M3 and M4 are equal. */
#define CHARGE(cpu, name) CHARGE_N(cpu, name, 1)
#define CHARGE_N(cpu, name, count)                                                             \
    ((cpu)->cycles += (uint64_t)LO_##name * (count),                                           \
     (cpu)->cycles_hi += (uint64_t)HI_##name * (count))

struct limits timing_of(enum timing row, int is_m3);

#endif
