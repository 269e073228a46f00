/* SPDX-License-Identifier: MIT
 *
 * measure.h -- the network, run in measured stretches: one per time step (input stage and cell),
 * one for the classifier. hal.h says what interrupts may do inside a stretch. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>

/* Measure the counter's own overhead on empty stretches; call once, after hal_init. */
void measure_calibrate(void);
uint16_t measure_overhead(void);

/* A window: start it, advance it by a step at a time, classify. */
void measure_start(void);
void measure_step(const int16_t *raw);
void measure_classify(void);

/* Cycles of the window so far, overhead subtracted; CYCLES_UNKNOWN once one stretch or the sum
 * could not be trusted. */
uint32_t measure_cycles(void);

#endif
