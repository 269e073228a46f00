/* SPDX-License-Identifier: MIT
 *
 * counter.c -- a program for the counters of the HALs: reads a 4-byte little-endian number n, burns
 * about 4 n cycles (AVR) or 3 n (M0+) inside a stretch, and answers with the 4 bytes that
 * hal_stretch_end gave. */
#include "hal.h"

static uint8_t next_byte(void)
{
    int16_t byte;
    while ((byte = hal_read()) < 0)
        hal_idle();
    return (uint8_t)byte;
}

static __attribute__((noinline)) void burn(uint32_t n)
{
    while (n--)
        __asm__ volatile("");
}

int main(void)
{
    hal_init();
    for (;;) {
        uint32_t n = 0;
        uint8_t answer[4];
        for (uint8_t shift = 0; shift < 32; shift = (uint8_t)(shift + 8))
            n |= (uint32_t)next_byte() << shift;
        hal_stretch_begin();
        burn(n);
        uint32_t cycles = hal_stretch_end();
        for (uint8_t i = 0; i < 4; i++, cycles >>= 8)
            answer[i] = (uint8_t)cycles;
        hal_write(answer, 4);
    }
}
