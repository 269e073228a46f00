/* SPDX-License-Identifier: MIT
 *
 * timing.h -- what each instruction costs, in core cycles.
 *
 * Ref: ARM DDI 0484C, Cortex-M0+ Technical Reference Manual, table 3-1, for zero wait states, the
 *      single-cycle multiplier and the single-cycle I/O port (SAM D21: DS40001882, "Cortex-M0+
 *      Configuration").
 *
 * Rows marked ASSUMED are not in that table; see docs/virtual-boards.md. */
#ifndef TIMING_H
#define TIMING_H

enum {
    CYCLES_ALU = 1,             /* moves, add, subtract, logic, shift, extend, reverse, ADR */
    CYCLES_MULTIPLY = 1,        /* MULS, fast multiplier */
    CYCLES_WRITE_PC = 2,        /* ADD/MOV with the PC as destination */
    CYCLES_LOAD_STORE = 2,      /* LDR*, STR* of any width */
    CYCLES_LOAD_STORE_IO = 1,   /* the same on the single-cycle I/O port */
    CYCLES_MULTIPLE = 1,        /* LDM, STM, PUSH, POP: this plus 1 for each register ... */
    CYCLES_POP_PC = 3,          /* ... POP with the PC: this plus 1 for each, the PC included */
    CYCLES_BRANCH_TAKEN = 2,    /* B, B<cond> */
    CYCLES_BRANCH_NOT_TAKEN = 1,
    CYCLES_BL = 3,
    CYCLES_BX = 2,              /* BX, BLX */
    CYCLES_SYSTEM = 3,          /* MRS, MSR, DMB, DSB, ISB */
    CYCLES_HINT = 1,            /* NOP, SEV, YIELD, CPS */
    CYCLES_WAIT = 2,            /* WFI, WFE, besides the time asleep */
    CYCLES_EXCEPTION_ENTRY = 15,/* ARM DDI 0484C, section 1.1: interrupt latency, 15 cycles */
    CYCLES_TAIL_CHAIN = 7,      /* ASSUMED: entry without its eight stores */
    CYCLES_EXCEPTION_RETURN = 10/* ASSUMED: eight loads and a refill, besides the BX or POP */
};

#endif
