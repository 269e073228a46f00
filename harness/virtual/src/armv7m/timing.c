/* SPDX-License-Identifier: MIT
 *
 * timing.c -- the table of timing.h as one. */
#include "timing.h"

#define ROW_OF_BOTH(name, m4_lo, m4_hi, m3_lo, m3_hi) {{m4_lo, m4_hi}, {m3_lo, m3_hi}},

static const struct limits table[T_COUNT][2] = {TIMINGS(ROW_OF_BOTH)};

struct limits timing_of(enum timing row, int is_m3)
{
    return table[row][is_m3];
}
