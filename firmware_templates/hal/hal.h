/* SPDX-License-Identifier: MIT
 *
 * hal.h -- all that differs between boards: byte pipe, cycle counter, peak of the stack, reset.
 *
 * One implementation is linked: hal_avr.c, hal_samd21.c, hal_armv7m.c with a chip's own file,
 * hal_arduino.cpp or hal_posix.c. Each says in its first comment what its counter counts and how far it
 * is exact. Everything above is the same on every board. */
#ifndef HAL_H
#define HAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clocks, serial line, counter. Called once, with interrupts off or on; leaves them on. */
void hal_init(void);

/* Received bytes that wait, oldest first, up to the end of the ring that an interrupt fills; 0: none.
 * They stay until they are dropped. A byte that finds the ring full is lost and counted. */
uint16_t hal_waiting(const uint8_t **bytes);
void hal_drop(uint16_t count);

/* The next of them, or -1. */
static inline int16_t hal_read(void)
{
    const uint8_t *bytes;
    int16_t byte = hal_waiting(&bytes) ? (int16_t)*bytes : (int16_t)-1;
    if (byte >= 0)
        hal_drop(1);
    return byte;
}

/* Send bytes. Takes as long as the line needs at most, or gives up: it never waits for a reader. */
void hal_write(const uint8_t *bytes, uint16_t size);

/* Sleep until a byte may be waiting. May return early; never sleeps on a byte that came before. */
void hal_idle(void);

/* Bytes lost since reset: ring full, or the receiver's own overrun. */
uint32_t hal_overruns(void);

/* Bytes that may come while a stretch is measured: none of them is lost, and the cycles are the same
 * with and without them. 0: the board is deaf then, or the line would disturb the count. */
uint16_t hal_window(void);

/* The line's speed. hal_bauds: the BAUD_BIT of each enum baud that the board can be asked for, beside
 * the one it starts with. hal_set_baud waits until what was sent has left. */
uint8_t hal_bauds(void);
void hal_set_baud(uint8_t rate);

/* A measured stretch: begin zeroes the counter and raises the mark; end reads the counter, lowers the
 * mark and returns the cycles in between, a constant overhead included, or CYCLES_UNKNOWN. Inside,
 * interrupts are off, or what they take is subtracted exactly. Stretches do not nest. */
void hal_stretch_begin(void);
uint32_t hal_stretch_end(void);

/* Which counter this is: an enum hal_timer of messages.h. */
uint8_t hal_timer(void);

/* Stack bytes down to the deepest one written so far, interrupts included; 0 where it is not
 * measured. A slot that a frame reserves but never writes is not seen. */
uint16_t hal_stack_peak(void);

/* Wait until what was sent has left, then reset the board. Does not return. */
void hal_reset(void);

#ifdef __cplusplus
}
#endif

#endif
