/* SPDX-License-Identifier: MIT
 *
 * marks.h -- the stretches that a firmware marks with a pin, as the simulator counts them. */
#ifndef MARKS_H
#define MARKS_H

#include "cpu.h"

/* What passes between two moments: the core's cycles (a lower bound where it counts a bracket), the
 * upper bound (the same number where the count is exact), and instructions. */
struct span {
    uint64_t cycles, cycles_hi, instructions;
};

/* Stretches since reset: how many, their sum, the first and the last. */
struct marks {
    struct span begun;          /* the clocks when the pin rose */
    uint64_t count;
    struct span sum, first, last;
};

/* The pin that marks has changed. */
void marks_note(struct marks *marks, const struct cpu *cpu, bool raised);

#endif
