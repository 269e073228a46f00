/* SPDX-License-Identifier: MIT
 *
 * hal_armv7m.c -- the part of the HAL that Cortex-M3 and M4 boards share; clock, serial line and mark
 * pin are in the chip's own file (hal_sam3x.c, hal_nrf52840.c, hal_stm32l4r5.c).
 *
 * Counter (DWT.CYCCNT, timer 3): 32 bits, hence exact for stretches of up to 2^32 - 2 cycles, with
 * interrupts off throughout: what one takes depends on the instruction that it cuts short. The line
 * goes on where the chip can do that by itself (armv7m.h, chip_capture).
 * Stack: painted by startup_armv7m.c from the end of .bss up; the peak includes interrupts. */
#include "armv7m.h"
#include "hal.h"
#include "messages.h"

#define RING_SIZE 1024u             /* a power of two */

static volatile uint8_t ring[RING_SIZE];
static volatile uint16_t head, tail;        /* bytes tail .. head - 1 wait */
static volatile uint32_t overruns;

void hal_init(void)
{
    irq_off();
    DEMCR |= DEMCR_TRCENA;
    DWT_CTRL |= DWT_CYCCNTENA;
    chip_start();
    irq_on();
}

/* ---- serial line ---- */

void ring_note_overrun(void)
{
    overruns++;
}

void ring_put(uint8_t byte)
{
    uint16_t next = (uint16_t)((head + 1u) & (RING_SIZE - 1u));
    if (next == tail) {
        overruns++;
        return;
    }
    ring[head] = byte;
    head = next;
}

uint16_t hal_waiting(const uint8_t **bytes)
{
    uint16_t to = head;
    *bytes = (const uint8_t *)ring + tail;
    return (uint16_t)((to >= tail ? to : RING_SIZE) - tail);
}

void hal_drop(uint16_t count)
{
    tail = (uint16_t)((tail + count) & (RING_SIZE - 1u));
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    chip_write(bytes, size);
}

void hal_idle(void)
{
    irq_off();
    if (head == tail)
        /* A pending interrupt ends WFI even while PRIMASK keeps it from running (DDI 0403, B1.5.19). */
        __asm__ volatile("dsb\n\twfi" ::: "memory");
    irq_on();
}

uint32_t hal_overruns(void)
{
    return overruns;
}

uint16_t hal_window(void)
{
    return chip_window();
}

/* The line keeps the rate that it starts with. */
uint8_t hal_bauds(void)
{
    return 0;
}

void hal_set_baud(uint8_t rate)
{
    (void)rate;
}

/* ---- measured stretches ---- */

/* The receiver holds few characters, so it is given back only when nearly all have been taken over. */
static void take_captured(void)
{
    uint16_t taken = 0, count;
    const uint8_t *bytes;
    for (uint8_t released = 0; released < 2; released++) {
        while (bytes = chip_captured(&count), taken < count)
            ring_put(bytes[taken++]);
        chip_release();
    }
}

void hal_stretch_begin(void)
{
    irq_off();
    chip_capture();
    DWT_CYCCNT = 0;
    chip_mark_raise();
}

uint32_t hal_stretch_end(void)
{
    uint32_t cycles = DWT_CYCCNT;
    chip_mark_lower();
    take_captured();
    irq_on();
    return cycles;
}

uint8_t hal_timer(void)
{
    return TIMER_DWT;
}

/* ---- reset ---- */

void hal_reset(void)
{
    chip_flush();
    irq_off();
    __asm__ volatile("dsb" ::: "memory");
    SCB_AIRCR = AIRCR_SYSRESETREQ;
    for (;;)
        ;
}
