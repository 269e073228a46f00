/* SPDX-License-Identifier: MIT
 *
 * board.c -- see board.h. */
#include "board.h"

#include <string.h>

#include "memory.h"

#define GPIOE_BASE 0x48001000u
#define GPIO_ODR 0x14u
#define GPIO_BSRR 0x18u
#define GPIO_BRR 0x28u
#define MARK_PIN 9
#define DEVICE_ID 0x470u
#define SRAM2_OFFSET 0x30000u           /* of its place at 0x10000000 within RAM */
#define SRAM2_BYTES 0x10000u

static const struct {
    uint32_t base;
    unsigned irq, clock_scale;
} UART[UARTS] = {{0x40004400, 38, 1},       /* USART2: the line */
                 {0x40008000, 70, 256}};    /* LPUART1 */

static const struct store_range RANGES[] = {
    {0x40007000, 0x400},                /* PWR */
    {0x40021000, 0x400},                /* RCC */
    {0x40022000, 0x400},                /* FLASH */
    {0x48000000, 0x2400},               /* GPIOA to GPIOI */
    {0xE0042000, 0x10},                 /* DBGMCU */
    {0, 0},
};

static const struct store_word WORDS[] = {
    {0x40007014, ~(1u << 10), 0},       /* PWR_SR2: VOSF, the voltage is reached */
    {0x40021000, ~0u, 1u << 1 | 1u << 25},  /* RCC_CR: MSIRDY, PLLRDY */
    {0x40021008, ~0u, 3u << 2},         /* RCC_CFGR: SWS, the PLL */
    {0x40021090, ~0u, 1u << 1},         /* RCC_BDCR: LSERDY */
    {0x40022010, 0, 0},                 /* FLASH_SR: nothing under way */
    {0xE0042000, 0, 0x10000000u | DEVICE_ID},
    {0, 0, 0},
};

static const struct store_map STORE = {RANGES, WORDS};

/* ---- memory map ---- */

static struct serial *serial_at(struct board *b, uint32_t address)
{
    for (unsigned i = 0; i < UARTS; i++)
        if (address - UART[i].base < SERIAL_BYTES)
            return &b->uarts[i];
    return NULL;
}

static bool write_port(struct board *b, uint32_t offset, uint32_t value)
{
    uint32_t before = b->port_e;
    if (offset == GPIO_ODR)
        b->port_e = value & 0xFFFF;
    else if (offset == GPIO_BSRR)
        b->port_e = (b->port_e & ~(value >> 16)) | (value & 0xFFFF);
    else if (offset == GPIO_BRR)
        b->port_e &= ~value;
    else
        return false;
    if ((b->port_e ^ before) >> MARK_PIN & 1)
        marks_note(&b->marks, &b->cpu, b->port_e >> MARK_PIN & 1);
    return true;
}

static bool bus_read(void *context, uint32_t address, unsigned size, uint32_t *value)
{
    struct board *b = context;
    struct serial *serial = serial_at(b, address);
    if (serial)
        *value = serial_read(serial, address % SERIAL_BYTES);
    else if (address == GPIOE_BASE + GPIO_ODR)
        *value = b->port_e;
    else
        return store_read(&b->store, address, size, value);
    return true;
}

static bool bus_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
    struct board *b = context;
    struct serial *serial = serial_at(b, address);
    if (serial)
        serial_write(serial, address % SERIAL_BYTES, value);
    else if (!write_port(b, address - GPIOE_BASE, value))
        return store_write(&b->store, address, size, value);
    return true;
}

static void bus_event(void *context)
{
    struct board *b = context;
    uint64_t next = NEVER;
    b->cpu.device_at = NEVER;
    for (unsigned i = 0; i < UARTS; i++) {
        serial_service(&b->uarts[i]);
        uint64_t at = uart_next_event(&b->uarts[i].uart);
        next = at < next ? at : next;
    }
    b->cpu.device_at = next;
}

/* ---- what the system bootloader does to the chip ---- */

static void flash_changed(struct board *b)
{
    if (b->flash_changed)
        b->flash_changed(b->context);
}

static bool boot_read(void *context, uint32_t address, uint8_t *byte)
{
    struct board *b = context;
    uint32_t value;
    if (!memory_read(&b->cpu, address, 1, &value))
        return false;
    *byte = (uint8_t)value;
    return true;
}

static bool boot_write(void *context, uint32_t address, const uint8_t *bytes, uint32_t size)
{
    struct board *b = context;
    uint32_t in_flash = address - FLASH_BASE, in_ram = address - RAM_BASE;
    if (in_flash < FLASH_BYTES && size <= FLASH_BYTES - in_flash) {
        for (uint32_t i = 0; i < size; i++)
            b->flash[in_flash + i] &= bytes[i];
        flash_changed(b);
        return true;
    }
    if (in_ram < BOOTLOADER_RAM_BYTES || in_ram >= RAM_BYTES || size > RAM_BYTES - in_ram)
        return false;
    memcpy(b->ram + in_ram, bytes, size);
    return true;
}

static bool boot_erase_page(void *context, uint32_t page)
{
    struct board *b = context;
    if (page >= FLASH_BYTES / PAGE_BYTES)
        return false;
    memset(b->flash + page * PAGE_BYTES, 0xFF, PAGE_BYTES);
    flash_changed(b);
    return true;
}

static void boot_erase_all(void *context)
{
    struct board *b = context;
    memset(b->flash, 0xFF, sizeof b->flash);
    flash_changed(b);
}

static bool boot_go(void *context, uint32_t address)
{
    struct board *b = context;
    uint32_t sp;
    if (!memory_read(&b->cpu, address, 4, &sp) || sp - RAM_BASE > RAM_BYTES)
        return false;
    cpu_reset(&b->cpu, address);
    b->in_bootloader = false;
    return true;
}

static void boot_reply(void *context, uint8_t byte)
{
    struct board *b = context;
    if (b->line.transmit)
        b->line.transmit(b->line.context, byte);
}

static void boot_feed(struct board *b, uint8_t byte)
{
    an3155_feed(&b->bootloader, byte);
}

/* ---- life ---- */

static struct cpu_config configure(struct board *b)
{
    return (struct cpu_config){
        .memory = {{FLASH_BASE, FLASH_BYTES, b->flash, false, true},
                   {RAM_BASE, RAM_BYTES, b->ram, true, true},
                   {0x10000000, SRAM2_BYTES, b->ram + SRAM2_OFFSET, true, true},
                   {0, FLASH_BYTES, b->flash, false, true}},
        .n_memories = 4,
        .cpuid = 0x410FC241,            /* Cortex-M4 r0p1 */
        .n_irqs = 95,
        .priority_bits = 4,
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
    b->chip = (struct an3155_target){.id = DEVICE_ID,
                                     .read = boot_read,
                                     .write = boot_write,
                                     .erase_page = boot_erase_page,
                                     .erase_all = boot_erase_all,
                                     .go = boot_go,
                                     .reply = boot_reply,
                                     .context = b};
    for (unsigned i = 0; i < UARTS; i++)
        serial_init(&b->uarts[i], &b->cpu, UART[i].irq, UART[i].clock_scale);
    b->serial = &b->uarts[0].uart;
    b->serial->line = *line;
}

void board_reset(struct board *b, enum reset reset)
{
    store_reset(&b->store, &STORE);
    for (unsigned i = 0; i < UARTS; i++)
        serial_reset(&b->uarts[i]);
    b->port_e = 0;
    b->marks = (struct marks){0};
    b->cpu.device_at = NEVER;
    if (reset != RESET_POWER_ON)
        b->resets++;
    cpu_reset(&b->cpu, 0);
    b->in_bootloader = false;
}

static void enter_bootloader(struct board *b)
{
    board_reset(b, RESET_EXTERNAL);
    an3155_reset(&b->bootloader, &b->chip);
    b->in_bootloader = true;
}

const struct board_kind BOARD_KIND = {
    .program = "vboard-stm32l4r5",
    .name = "stm32l4r5",
    .clock_hz = 120000000u,
    .feed = boot_feed,
    .boot_pin = enter_bootloader,
    .stay = enter_bootloader,
};

struct image board_image(struct board *b)
{
    return (struct image){b->flash, sizeof b->flash, FLASH_BASE};
}

struct image board_ram(struct board *b)
{
    return (struct image){b->ram, sizeof b->ram, RAM_BASE};
}
