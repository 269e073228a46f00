/* SPDX-License-Identifier: MIT
 *
 * armv7m.h -- what the Cortex-M3 and M4 boards share: core registers, and the few functions by which
 * hal_armv7m.c asks the chip's own file.
 * Ref: ARMv7-M Architecture Reference Manual, ARM DDI 0403, sections B3.2 (system control block),
 *      B3.4 (NVIC), C1.6 (DEMCR) and C1.8 (DWT). */
#ifndef ARMV7M_H
#define ARMV7M_H

#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(address))

#define DEMCR REG32(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CYCCNTENA 1u
#define DWT_CYCCNT REG32(0xE0001004u)
#define NVIC_ISER(irq) REG32(0xE000E100u + 4u * ((irq) / 32u))
#define SCB_VTOR REG32(0xE000ED08u)
#define SCB_AIRCR REG32(0xE000ED0Cu)
#define AIRCR_SYSRESETREQ 0x05FA0004u

/* Rounds of a wait that must end even when the hardware is silent: some ms at most at any clock. */
#define PATIENCE 100000u

static inline void irq_off(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void irq_on(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

static inline void irq_enable(uint32_t irq)
{
    NVIC_ISER(irq) = 1u << (irq % 32u);
}

/* Waits until a bit of `mask` is set, or gives up. Returns whether it came. */
static inline uint8_t wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t patience)
{
    while (!(*reg & mask))
        if (patience-- == 0)
            return 0;
    return 1;
}

/* ---- given by the chip's file ---- */

/* Clocks, mark pin, serial line with its receive interrupt. Called with interrupts off. */
void chip_start(void);
/* The one handler of all interrupts; only those that chip_start enabled can come. */
void chip_interrupt(void);
/* Characters, as soon as the transmitter takes them; lost if it never does. */
void chip_write(const uint8_t *bytes, uint16_t size);
/* Waits until the last character has left the chip. */
void chip_flush(void);
/* A line that goes on by itself in a measured stretch, by DMA and a memory that the core does not use
 * then, so that neither waits for the other. chip_window: characters that it has room for; 0: there is
 * no such thing, and the other two do nothing. Between capture and release characters go there, and
 * chip_captured tells how many have. */
uint16_t chip_window(void);
void chip_capture(void);
const uint8_t *chip_captured(uint16_t *count);
void chip_release(void);
/* The pin that is high during a measured stretch. */
void chip_mark_raise(void);
void chip_mark_lower(void);

/* ---- given by hal_armv7m.c: what the chip's interrupt hands over ---- */

void ring_put(uint8_t byte);
void ring_note_overrun(void);

#endif
