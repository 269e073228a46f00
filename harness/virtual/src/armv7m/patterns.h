/* SPDX-License-Identifier: MIT
 *
 * patterns.h -- the rows of the table of 32-bit instructions (patterns.c). */
#ifndef PATTERNS_H
#define PATTERNS_H

#include "timing.h"
#include "wide.h"

/* Rules. NO_D13: UNPREDICTABLE if the field Rd is 13; N, M and T are the other register fields. */
enum {
    NO_D13 = 1 << 0, NO_D15 = 1 << 1, NO_N13 = 1 << 2, NO_N15 = 1 << 3,
    NO_M13 = 1 << 4, NO_M15 = 1 << 5, NO_T13 = 1 << 6, NO_T15 = 1 << 7,
    NO_D = NO_D13 | NO_D15, NO_N = NO_N13 | NO_N15, NO_M = NO_M13 | NO_M15, NO_T = NO_T13 | NO_T15,
    CONSTANT = 1 << 8,          /* has a modified immediate constant */
    NEEDS_DSP = 1 << 9, NEEDS_FPU = 1 << 10,
    NOT_IN_IT = 1 << 11, BRANCHES = 1 << 12,
    BRANCHES_T15 = 1 << 13,     /* if Rt is the PC */
    BRANCHES_LIST = 1 << 14     /* if the register list has the PC */
};

/* (word & mask) == bits. `should`: the bits the ARM prints in brackets. No `run`: UNDEFINED. */
struct pattern {
    uint32_t mask, bits;
    wide_handler *run;
    enum timing timing;
    uint32_t rules;
    uint32_t should_mask, should_bits;
    bool (*legal)(uint32_t word);   /* further conditions; may be NULL */
};

/* The first that fits counts; ends with a mask of zero. */
extern const struct pattern wide_patterns[];

#endif
