/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include "hal.h"
#include "messages.h"
#include "rnn_input.h"
#include "rnn_model.h"

#define CALIBRATIONS 2u     /* the second finds the flash cache warm; the smaller one counts */

static uint16_t overhead;
static uint32_t cycles;
static const int16_t *step_raw;

/* Bodies of a stretch. They take no argument so that all are called by the same instructions. */
static void nothing(void)
{
}

static void step(void)
{
#if RNN_MEASURE_CELL
    rnn_cell_step();
#else
    rnn_model_step(step_raw);
#endif
}

static void classify(void)
{
    rnn_model_classify();
}

/* The one place where a stretch is measured: never inlined or cloned, so that the empty stretch
 * costs exactly what surrounds the others. */
static __attribute__((noinline)) uint32_t stretch(void (*volatile body)(void))
{
    void (*run)(void) = body;
    hal_stretch_begin();
    run();
    return hal_stretch_end();
}

static void add(uint32_t measured)
{
    if (cycles == CYCLES_UNKNOWN || measured == CYCLES_UNKNOWN) {
        cycles = CYCLES_UNKNOWN;
        return;
    }
    uint32_t net = measured > overhead ? measured - overhead : 0;
    cycles = net < CYCLES_UNKNOWN - cycles ? cycles + net : CYCLES_UNKNOWN;
}

void measure_calibrate(void)
{
    overhead = UINT16_MAX;
    for (uint8_t i = 0; i < CALIBRATIONS; i++) {
        uint32_t empty = stretch(nothing);
        if (empty < overhead)
            overhead = (uint16_t)empty;
    }
}

uint16_t measure_overhead(void)
{
    return overhead;
}

void measure_start(void)
{
    rnn_model_reset();
    cycles = 0;
}

void measure_step(const int16_t *raw)
{
    step_raw = raw;
#if RNN_MEASURE_CELL                    /* for benchmarks: what a step takes without its input stage */
    rnn_input(raw);
#endif
    add(stretch(step));
}

void measure_classify(void)
{
    add(stretch(classify));
}

uint32_t measure_cycles(void)
{
    return cycles;
}
