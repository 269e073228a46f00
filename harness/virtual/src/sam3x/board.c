/* SPDX-License-Identifier: MIT
 *
 * board.c -- see board.h. */
#include "board.h"

#include <string.h>

#include "applet.h"
#include "memory.h"

#define UART_BASE 0x400E0800u
#define UART_SIZE 0x140u                /* CHIPID follows */
#define EEFC_BASE 0x400E0A00u
#define EEFC_SIZE 0x200u                /* each */
#define PIOC_BASE 0x400E1200u
#define PIO_SODR 0x30u
#define PIO_CODR 0x34u
#define PIO_ODSR 0x38u
#define MARK_PIN 24
#define RSTC_CR 0x400E1A00u
#define RSTC_KEY 0xA5u
#define RSTC_PROCRST 1u
#define ROM_BASE 0x100000u
#define APPLET_RETURN (ROM_BASE + 0x100)    /* the ROM's own loop */
#define ERASED 0xFFFFFFFFu

/* ---- peripherals that are mere storage ---- */

static const struct store_range RANGES[] = {
    {0x400E0000, 0x800},                /* SMC, MATRIX, PMC */
    {0x400E0940, 0x8},                  /* CHIPID */
    {0x400E0E00, 0xC00},                /* PIOA to PIOF */
    {0x400E1A00, 0x100},                /* RSTC, SUPC, RTT, WDT, RTC, GPBR */
    {0, 0},
};

static const struct store_word WORDS[] = {
    {0x400E0668, 0, 0x0001000F},        /* PMC_SR: oscillators, PLLs and master clock ready */
    {0x400E0940, 0, 0x285E0A60},        /* CHIPID_CIDR: SAM3X8E, revision A */
    {0, 0, 0},
};

static const struct store_map STORE = {RANGES, WORDS};

/* ---- port C: the mark ---- */

static void write_port(struct board *b, uint32_t offset, uint32_t value)
{
    uint32_t before = b->pio_out;
    if (offset == PIO_SODR)
        b->pio_out |= value;
    else if (offset == PIO_CODR)
        b->pio_out &= ~value;
    if ((b->pio_out ^ before) >> MARK_PIN & 1)
        marks_note(&b->marks, &b->cpu, b->pio_out >> MARK_PIN & 1);
}

/* ---- memory map ---- */

static bool bus_read(void *context, uint32_t address, unsigned size, uint32_t *value)
{
    struct board *b = context;
    if (address - UART_BASE < UART_SIZE)
        *value = serial_read(&b->uart, address - UART_BASE);
    else if (address - EEFC_BASE < EEFC_PLANES * EEFC_SIZE)
        *value = eefc_read(&b->eefc[(address - EEFC_BASE) / EEFC_SIZE], address % EEFC_SIZE);
    else if (address == PIOC_BASE + PIO_ODSR)
        *value = b->pio_out;
    else
        return store_read(&b->store, address, size, value);
    return size == 4;
}

static bool bus_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
    struct board *b = context;
    uint32_t offset = address - FLASH_BASE;
    if (offset < FLASH_BYTES)
        return eefc_latch(&b->eefc[offset / EEFC_PLANE_BYTES], offset, size, value);
    if (address - UART_BASE < UART_SIZE)
        serial_write(&b->uart, address - UART_BASE, value);
    else if (address - EEFC_BASE < EEFC_PLANES * EEFC_SIZE)
        eefc_write(&b->eefc[(address - EEFC_BASE) / EEFC_SIZE], address % EEFC_SIZE, value);
    else if (address == PIOC_BASE + PIO_SODR || address == PIOC_BASE + PIO_CODR)
        write_port(b, address - PIOC_BASE, value);
    else if (address == RSTC_CR)
        b->cpu.reset_requested = value >> 24 == RSTC_KEY && (value & RSTC_PROCRST);
    else
        return store_write(&b->store, address, size, value);
    if (b->cpu.reset_requested)
        cpu_attend(&b->cpu);
    return size == 4;
}

static void bus_event(void *context)
{
    struct board *b = context;
    b->cpu.device_at = NEVER;
    serial_service(&b->uart);
    b->cpu.device_at = uart_next_event(&b->uart.uart);
}

/* ---- what the monitor does to the machine ---- */

static uint32_t monitor_read(void *context, uint32_t address, unsigned size)
{
    struct board *b = context;
    uint32_t value = 0;
    return memory_read(&b->cpu, address, size, &value) ? value : 0;
}

static void monitor_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
    struct board *b = context;
    memory_write(&b->cpu, address, size, value);
}

static void monitor_run(void *context, uint32_t address)
{
    struct board *b = context;
    applet_run(&b->cpu, address, APPLET_RETURN);
}

static void monitor_reply(void *context, uint8_t byte)
{
    struct board *b = context;
    if (b->line.transmit)
        b->line.transmit(b->line.context, byte);
}

static void monitor_feed(struct board *b, uint8_t byte)
{
    samba_feed(&b->samba, byte);
}

/* ---- life ---- */

static void flash_changed(void *context)
{
    struct board *b = context;
    if (b->flash_changed)
        b->flash_changed(b->context);
}

/* Flash is seen at 0 as well: what GPNVM1 does for a program. RAM: SRAM0 mirrored below SRAM1, and
 * SRAM0 where the chip documents it. */
static struct cpu_config configure(struct board *b)
{
    return (struct cpu_config){
        .memory = {{FLASH_BASE, FLASH_BYTES, b->flash, false, true},
                   {RAM_BASE, RAM_BYTES, b->ram, true, true},
                   {0x20000000, 0x10000, b->ram, true, true},
                   {ROM_BASE, ROM_BYTES, b->rom, false, true},
                   {0, FLASH_BASE, b->flash, false, true},
                   {0x20100000, NFC_BYTES, b->nfc, true, false}},
        .n_memories = 6,
        .cpuid = 0x412FC230,            /* Cortex-M3 r2p0 */
        .n_irqs = 45,
        .priority_bits = 4,
    };
}

void board_init(struct board *b, const struct line *line)
{
    static const uint16_t loop = 0xE7FE;    /* b . */
    memset(b, 0, sizeof *b);
    memset(b->flash, 0xFF, sizeof b->flash);
    memcpy(b->rom + (APPLET_RETURN - ROM_BASE), &loop, sizeof loop);
    const struct cpu_config config = configure(b);
    cpu_init(&b->cpu, &config);
    b->cpu.bus = (struct cpu_bus){bus_read, bus_write, bus_event, b};
    b->line = *line;
    b->monitor = (struct samba_target){.version = "v1.1 virtual SAM3X8E",
                                       .longest_reply = FLASH_BYTES,
                                       .over_uart = true,
                                       .read = monitor_read,
                                       .write = monitor_write,
                                       .run = monitor_run,
                                       .reply = monitor_reply,
                                       .context = b};
    for (unsigned i = 0; i < EEFC_PLANES; i++)
        b->eefc[i] = (struct eefc){.flash = b->flash + i * EEFC_PLANE_BYTES,
                                   .gpnvm = i == 0 ? &b->gpnvm : NULL,
                                   .changed = flash_changed,
                                   .context = b};
    serial_init(&b->uart, &b->cpu);
    b->serial = &b->uart.uart;
    b->serial->line = *line;
}

static void reset_devices(struct board *b, enum reset reset)
{
    store_reset(&b->store, &STORE);
    for (unsigned i = 0; i < EEFC_PLANES; i++)
        eefc_reset(&b->eefc[i]);
    serial_reset(&b->uart);
    b->pio_out = 0;
    b->marks = (struct marks){0};
    b->cpu.device_at = NEVER;
    if (reset != RESET_POWER_ON)
        b->resets++;
}

static void start_rom(struct board *b)
{
    samba_reset(&b->samba, &b->monitor);
    b->in_bootloader = true;
}

/* flash.bin does not keep GPNVM: at power-on it is what a programmed, respectively erased board has. */
static void power_on(struct board *b)
{
    b->gpnvm = memory_peek(b->flash + 4, 4) == ERASED ? 0 : GPNVM_BOOT_FLASH;
}

void board_reset(struct board *b, enum reset reset)
{
    if (reset == RESET_POWER_ON)
        power_on(b);
    reset_devices(b, reset);
    cpu_reset(&b->cpu, 0);
    b->in_bootloader = false;
    if (!(b->gpnvm & GPNVM_BOOT_FLASH))
        start_rom(b);
}

/* ---- what the 16U2 does ---- */

static void port_opened(struct board *b)
{
    board_reset(b, RESET_EXTERNAL);
}

static void port_touched(struct board *b)
{
    for (unsigned i = 0; i < EEFC_PLANES; i++)
        eefc_erase(&b->eefc[i]);
    b->gpnvm = 0;
    board_reset(b, RESET_EXTERNAL);
}

const struct board_kind BOARD_KIND = {
    .program = "vboard-sam3x",
    .name = "sam3x8e",
    .clock_hz = 84000000u,
    .feed = monitor_feed,
    .reset_pulse_ms = 20,
    .opened = port_opened,
    .touched = port_touched,
    .stay = start_rom,
};

struct image board_image(struct board *b)
{
    return (struct image){b->flash, sizeof b->flash, FLASH_BASE};
}

struct image board_ram(struct board *b)
{
    return (struct image){b->ram, sizeof b->ram, RAM_BASE};
}
