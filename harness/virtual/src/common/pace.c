/* SPDX-License-Identifier: MIT
 * pace.c -- wall time against emulated time. See host_parts.h. */
#include "host_parts.h"

#define NS_PER_S 1000000000

/* Emulated time that has fallen behind by less than this catches up (a late wake-up from poll);
 * beyond it the loss is forgotten (the machine was suspended, or cannot keep up). */
#define CATCH_UP_NS (50 * 1000 * 1000)

static int64_t cycles_to_ns(const pace *p, uint64_t cycles)
{
    uint64_t seconds = cycles / p->clock_hz;
    uint64_t rest = cycles % p->clock_hz;
    return (int64_t)(seconds * NS_PER_S + rest * NS_PER_S / p->clock_hz);
}

static uint64_t ns_to_cycles(const pace *p, int64_t ns)
{
    uint64_t seconds = (uint64_t)ns / NS_PER_S;
    uint64_t rest = (uint64_t)ns % NS_PER_S;
    return seconds * p->clock_hz + rest * p->clock_hz / NS_PER_S;
}

static void anchor(pace *p, uint64_t cycles, int64_t now_ns)
{
    p->anchored = true;
    p->wall_ns = now_ns;
    p->cycles = cycles;
}

int64_t pace_ahead_ns(pace *p, uint64_t cycles, int64_t now_ns)
{
    if (!p->anchored)
        anchor(p, cycles, now_ns);
    int64_t ahead = cycles_to_ns(p, cycles - p->cycles) - (now_ns - p->wall_ns);
    if (ahead < -CATCH_UP_NS) {
        anchor(p, cycles, now_ns);
        ahead = 0;
    }
    return ahead > 0 ? ahead : 0;
}

uint64_t pace_reached(const pace *p, int64_t now_ns)
{
    return p->cycles + ns_to_cycles(p, now_ns - p->wall_ns);
}

void pace_forget(pace *p) { p->anchored = false; }
