/* SPDX-License-Identifier: MIT
 *
 * board.c -- see board.h. */
#include "board.h"

#include <string.h>

#define UART_BASE 0x40002000u
#define P1_BASE 0x50000800u             /* GPIO port 1, from OUT - 4 on */
#define P1_OUT 0x04u
#define P1_OUTSET 0x08u
#define P1_OUTCLR 0x0Cu
#define MARK_PIN 14

static const struct store_range RANGES[] = {
    {0x40000000, 0x1000},               /* CLOCK, POWER */
    {0x4001E000, 0x1000},               /* NVMC */
    {0x50000000, 0x1000},               /* GPIO */
    {0, 0},
};

static const struct store_word WORDS[] = {
    {0x40000100, 0, 1},                 /* CLOCK.EVENTS_HFCLKSTARTED */
    {0x40000104, 0, 1},                 /* CLOCK.EVENTS_LFCLKSTARTED */
    {0x4000040C, 0, 0x00010001},        /* CLOCK.HFCLKSTAT: crystal, running */
    {0x4001E400, 0, 1},                 /* NVMC.READY */
    {0, 0, 0},
};

static const struct store_map STORE = {RANGES, WORDS};

static bool write_port(struct board *b, uint32_t offset, uint32_t value)
{
    uint32_t before = b->port1_out;
    if (offset == P1_OUT)
        b->port1_out = value;
    else if (offset == P1_OUTSET)
        b->port1_out |= value;
    else if (offset == P1_OUTCLR)
        b->port1_out &= ~value;
    else
        return false;
    if ((b->port1_out ^ before) >> MARK_PIN & 1)
        marks_note(&b->marks, &b->cpu, b->port1_out >> MARK_PIN & 1);
    return true;
}

static bool bus_read(void *context, uint32_t address, unsigned size, uint32_t *value)
{
    struct board *b = context;
    uint32_t offset = address - P1_BASE;
    if (address - UART_BASE < SERIAL_BYTES)
        *value = serial_read(&b->uart, address - UART_BASE);
    else if (offset == P1_OUT || offset == P1_OUTSET || offset == P1_OUTCLR)
        *value = b->port1_out;
    else
        return store_read(&b->store, address, size, value);
    return size == 4;
}

static bool bus_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
    struct board *b = context;
    if (size != 4)
        return false;                   /* "Peripheral interface": registers take words */
    if (address - UART_BASE < SERIAL_BYTES)
        serial_write(&b->uart, address - UART_BASE, value);
    else if (!write_port(b, address - P1_BASE, value))
        return store_write(&b->store, address, size, value);
    return true;
}

static void bus_event(void *context)
{
    struct board *b = context;
    b->cpu.device_at = NEVER;
    serial_service(&b->uart);
    b->cpu.device_at = uart_next_event(&b->uart.uart);
}

static struct cpu_config configure(struct board *b)
{
    return (struct cpu_config){
        .memory = {{0, FLASH_BYTES, b->flash, false, true}, {RAM_BASE, RAM_BYTES, b->ram, true, true}},
        .n_memories = 2,
        .cpuid = 0x410FC241,            /* Cortex-M4 r0p1 */
        .n_irqs = 48,
        .priority_bits = 3,
        .has_dsp = true,
        .has_fpu = true,
    };
}

void board_init(struct board *b, const struct line *line)
{
    memset(b, 0, sizeof *b);
    memset(b->flash, 0xFF, sizeof b->flash);
    const struct cpu_config config = configure(b);
    cpu_init(&b->cpu, &config);
    b->cpu.bus = (struct cpu_bus){bus_read, bus_write, bus_event, b};
    b->line = *line;
    serial_init(&b->uart, &b->cpu);
    b->serial = &b->uart.uart;
    b->serial->line = *line;
}

void board_reset(struct board *b, enum reset reset)
{
    store_reset(&b->store, &STORE);
    serial_reset(&b->uart);
    b->port1_out = 0;
    b->marks = (struct marks){0};
    b->cpu.device_at = NEVER;
    if (reset != RESET_POWER_ON)
        b->resets++;
    cpu_reset(&b->cpu, BOARD_APPLICATION);
}

const struct board_kind BOARD_KIND = {
    .program = "vboard-nrf52840",
    .name = "nrf52840",
    .clock_hz = 64000000u,
};

struct image board_image(struct board *b)
{
    return (struct image){b->flash, sizeof b->flash, 0};
}

struct image board_ram(struct board *b)
{
    return (struct image){b->ram, sizeof b->ram, RAM_BASE};
}
