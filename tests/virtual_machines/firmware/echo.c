/* SPDX-License-Identifier: MIT
 *
 * echo.c -- what the whole-board tests flash, on the board's own HAL: says "ready\n", then echoes every
 * byte, except these commands:
 *     1  measures a loop of 1000 rounds; answers what the HAL counted as "m<decimal>\n"
 *     2  loads from where nothing is
 *     3  keeps interrupts off while 40 characters pass
 *     4  resets itself
 *     5  the same as 1 with 5000 rounds */
#include "armv7m.h"
#include "hal.h"
#include "model_data.h"

static void put_number(char tag, uint32_t value)
{
    uint8_t text[12];
    uint16_t at = sizeof text;
    text[--at] = '\n';
    do
        text[--at] = (uint8_t)('0' + value % 10u);
    while (value /= 10u);
    text[--at] = (uint8_t)tag;
    hal_write(text + at, (uint16_t)(sizeof text - at));
}

static __attribute__((noinline)) void spin(uint32_t rounds)
{
    __asm__ volatile("1: subs %0, #1\n\tbne 1b" : "+r"(rounds)::"cc");
}

/* The same loop, and nothing else in the stretch. */
static __attribute__((noinline)) uint32_t burn(uint32_t rounds)
{
    hal_stretch_begin();
    __asm__ volatile("1: subs %0, #1\n\tbne 1b" : "+r"(rounds)::"cc");
    return hal_stretch_end();
}

static void obey(uint8_t byte)
{
    if (byte == 1u)
        put_number('m', burn(1000u));
    else if (byte == 2u)
        (void)*(volatile uint32_t *)0x30000000u;
    else if (byte == 3u) {
        irq_off();
        spin(40u * 10u * (RNN_CLOCK_HZ / RNN_BAUD) / 2u);
        irq_on();
    } else if (byte == 4u)
        hal_reset();
    else if (byte == 5u)
        put_number('m', burn(5000u));
    else
        hal_write(&byte, 1);
}

int main(void)
{
    static const uint8_t hello[] = "ready\n";
    hal_init();
    hal_write(hello, sizeof hello - 1u);
    for (;;) {
        int16_t byte = hal_read();
        if (byte >= 0)
            obey((uint8_t)byte);
        else
            hal_idle();
    }
}
