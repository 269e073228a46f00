/* SPDX-License-Identifier: MIT
 *
 * startup_armv7m.c -- vector table and the way to main, for the linker script of armv7m.ld.j2.
 * Ref: ARM DDI 0403, sections B1.5.3 (the vector table) and B1.5.5 (reset). */
#include "armv7m.h"
#include "hal.h"

#define PAINT 0xC5C5C5C5u
#define INTERRUPTS 96               /* at least those of each chip: 45, 48 and 95 */

extern uint32_t __data_start, __data_end, __data_load, __bss_start, __bss_end, __stack_top;

int main(void);
void startup_reset(void);
void startup_fault(void);

/* A fault, or an exception nobody asked for: stand still, so that the host notices the silence. */
void startup_fault(void)
{
    for (;;)
        ;
}

typedef void (*vector)(void);

struct vector_table {
    uint32_t *stack_top;
    vector exceptions[15];          /* 1 Reset .. 15 SysTick */
    vector interrupts[INTERRUPTS];
};

static const struct vector_table vectors
    __attribute__((used, section(".vectors"), aligned(512))) = {
    .stack_top = &__stack_top,
    .exceptions = {startup_reset, [1 ... 14] = startup_fault},
    .interrupts = {[0 ... INTERRUPTS - 1] = chip_interrupt},
};

/* Everything between .bss and the stack in use, which is this function's frame. The stores are
 * volatile so that they stay a loop: a call to memset would have its own frame painted over. */
static inline __attribute__((always_inline)) void paint_stack(void)
{
    uint32_t *limit;
    __asm__ volatile("mov %0, sp" : "=r"(limit));
    for (volatile uint32_t *at = &__bss_end; at < limit; at++)
        *at = PAINT;
}

void startup_reset(void)
{
    SCB_VTOR = (uint32_t)&vectors;  /* a bootloader's until now */
    paint_stack();
    const uint32_t *from = &__data_load;
    for (volatile uint32_t *to = &__data_start; to < &__data_end; to++)
        *to = *from++;
    for (volatile uint32_t *to = &__bss_start; to < &__bss_end; to++)
        *to = 0;
    main();
    startup_fault();
}

uint16_t hal_stack_peak(void)
{
    const uint32_t *at = &__bss_end;
    while (at < &__stack_top && *at == PAINT)
        at++;
    uint32_t peak = (uint32_t)&__stack_top - (uint32_t)at;
    return (uint16_t)(peak < UINT16_MAX ? peak : UINT16_MAX);
}
