/* SPDX-License-Identifier: MIT
 *
 * board.c -- see board.h. */
#include "board.h"

#include <string.h>

#include "applet.h"
#include "memory.h"

#define NVMCTRL_BASE 0x41004000u
#define PORT_BASE 0x41004400u
#define SERCOM0_BASE 0x42000800u        /* SERCOM5: 0x42001C00 */
#define DMAC_BASE 0x41004800u
#define PERIPHERAL_SIZE 0x400u
#define IRQ_SERCOM0 9u

#define ERASED 0xFFFFFFFFu
#define APPLET_RETURN 0xF8u             /* where an applet's LR points: the stub's own loop */

/* ---- memory map ---- */

static bool bus_read(void *context, uint32_t address, unsigned size, uint32_t *value)
{
    struct board *b = context;
    uint32_t sercom = (address - SERCOM0_BASE) / PERIPHERAL_SIZE;
    if (address - PORT_BASE < PERIPHERAL_SIZE)
        *value = port_read(&b->port, address - PORT_BASE, size);
    else if (address - IOBUS_BASE < IOBUS_SIZE)
        *value = port_read(&b->port, address - IOBUS_BASE, size);
    else if (address >= SERCOM0_BASE && sercom < BOARD_SERCOMS)
        *value = sercom_read(&b->sercom[sercom], address % PERIPHERAL_SIZE, size);
    else if (address - DMAC_BASE < PERIPHERAL_SIZE)
        *value = dmac_read(&b->dmac, address - DMAC_BASE, size);
    else if (address - NVMCTRL_BASE < PERIPHERAL_SIZE)
        *value = nvm_read(&b->nvm, address - NVMCTRL_BASE, size);
    else if (address - NVM_AUX_BASE < NVM_AUX_SIZE)
        *value = nvm_read_aux(address, size);
    else
        return stubs_read(&b->stubs, address, size, value);
    return true;
}

static bool bus_write(void *context, uint32_t address, unsigned size, uint32_t value)
{
    struct board *b = context;
    uint32_t sercom = (address - SERCOM0_BASE) / PERIPHERAL_SIZE;
    if (address - PORT_BASE < PERIPHERAL_SIZE)
        port_write(&b->port, address - PORT_BASE, size, value);
    else if (address - IOBUS_BASE < IOBUS_SIZE)
        port_write(&b->port, address - IOBUS_BASE, size, value);
    else if (address >= SERCOM0_BASE && sercom < BOARD_SERCOMS)
        sercom_write(&b->sercom[sercom], address % PERIPHERAL_SIZE, size, value);
    else if (address - DMAC_BASE < PERIPHERAL_SIZE)
        dmac_write(&b->dmac, address - DMAC_BASE, size, value);
    else if (address - NVMCTRL_BASE < PERIPHERAL_SIZE)
        nvm_write(&b->nvm, address - NVMCTRL_BASE, size, value);
    else if (address < FLASH_SIZE)
        return nvm_load_page(&b->nvm, address, size, value);
    else
        return stubs_write(&b->stubs, address, size, value);
    return true;
}

static void bus_event(void *context)
{
    struct board *b = context;
    uint64_t next = NEVER;
    b->cpu.device_at = NEVER;
    for (unsigned i = 0; i < BOARD_SERCOMS; i++)
        sercom_service(&b->sercom[i]);
    dmac_service(&b->dmac);
    for (unsigned i = 0; i < BOARD_SERCOMS; i++) {
        uint64_t at = uart_next_event(&b->sercom[i].uart);
        next = at < next ? at : next;
    }
    b->cpu.device_at = next;
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

static void monitor_erase_from(void *context, uint32_t address)
{
    struct board *b = context;
    for (; address < FLASH_SIZE; address += NVM_ROW_BYTES)
        nvm_erase_row(&b->nvm, address);
}

static void monitor_program(void *context, uint32_t address, uint32_t source, uint32_t size)
{
    struct board *b = context;
    for (uint32_t i = 0; i < size && i < FLASH_SIZE; i++) {
        uint8_t byte = (uint8_t)monitor_read(b, source + i, 1);
        nvm_program(&b->nvm, address + i, &byte, 1);
    }
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

/* ---- life ---- */

/* What a reader of the bootloader area finds: a stack pointer and an endless loop. The monitor
 * itself is samba.c. */
static void write_bootloader_stub(uint8_t *flash)
{
    static const uint32_t vectors[2] = {0x20007FFC, APPLET_RETURN | 1};
    static const uint16_t loop = 0xE7FE;    /* b . */
    memcpy(flash, vectors, sizeof vectors);
    memcpy(flash + APPLET_RETURN, &loop, sizeof loop);
}

static uint32_t flash_word(const struct board *b, uint32_t address)
{
    return memory_peek(b->flash + address, 4);
}

static void flash_changed(void *context)
{
    struct board *b = context;
    if (b->flash_changed)
        b->flash_changed(b->context);
}

void board_init(struct board *b, const struct line *line)
{
    memset(b, 0, sizeof *b);
    memset(b->flash, 0xFF, sizeof b->flash);
    cpu_init(&b->cpu, b->flash, b->ram);
    b->cpu.bus = (struct cpu_bus){bus_read, bus_write, bus_event, b};
    b->line = *line;
    b->monitor = (struct samba_target){.version = "v2.0 [Arduino:XYZ] virtual SAMD21",
                                       .longest_reply = FLASH_SIZE,
                                       .read = monitor_read,
                                       .write = monitor_write,
                                       .run = monitor_run,
                                       .erase_from = monitor_erase_from,
                                       .program = monitor_program,
                                       .reply = monitor_reply,
                                       .context = b};
    nvm_init(&b->nvm, &b->cpu);
    b->nvm.changed = flash_changed;
    b->nvm.context = b;
    port_init(&b->port, &b->cpu, &b->marks);
    for (unsigned i = 0; i < BOARD_SERCOMS; i++)
        sercom_init(&b->sercom[i], &b->cpu, IRQ_SERCOM0 + i);
    dmac_init(&b->dmac, &b->cpu, b->sercom, BOARD_SERCOMS);
    b->serial = &b->sercom[BOARD_SERIAL].uart;
    b->serial->line = *line;
    write_bootloader_stub(b->flash);
}

static void reset_devices(struct board *b, enum reset reset)
{
    static const uint8_t causes[] = {RCAUSE_POWER_ON, RCAUSE_EXTERNAL, RCAUSE_SYSTEM};
    stubs_reset(&b->stubs, causes[reset]);
    nvm_reset(&b->nvm);
    port_reset(&b->port);
    b->marks = (struct marks){0};
    for (unsigned i = 0; i < BOARD_SERCOMS; i++)
        sercom_reset(&b->sercom[i]);
    dmac_reset(&b->dmac);
    b->cpu.device_at = NEVER;
    if (reset != RESET_POWER_ON)
        b->resets++;
}

static void start_monitor(struct board *b, enum reset reset)
{
    reset_devices(b, reset);
    if (flash_word(b, 0) == ERASED)
        write_bootloader_stub(b->flash);
    cpu_reset(&b->cpu, 0);
    samba_reset(&b->samba, &b->monitor);
    b->in_bootloader = true;
}

/* The 1200-baud touch. */
static void enter_monitor(struct board *b)
{
    start_monitor(b, RESET_EXTERNAL);
}

static void monitor_feed(struct board *b, uint8_t byte)
{
    samba_feed(&b->samba, byte);
}

/* Whoever opens the port finds the monitor between two commands. */
static void port_opened(struct board *b)
{
    if (b->in_bootloader)
        samba_reset(&b->samba, &b->monitor);
}

void board_reset(struct board *b, enum reset reset)
{
    if (flash_word(b, BOARD_APPLICATION + 4) == ERASED) {
        start_monitor(b, reset);
        return;
    }
    reset_devices(b, reset);
    cpu_reset(&b->cpu, BOARD_APPLICATION);
    b->in_bootloader = false;
}

static bool set_flash_mode(struct board *b, const char *mode)
{
    b->cpu.wait_states = !strcmp(mode, "rws1");
    return b->cpu.wait_states || !strcmp(mode, "zero-wait");
}

const struct board_kind BOARD_KIND = {
    .program = "vboard-armv6m",
    .name = "samd21",
    .clock_hz = BOARD_CLOCK_HZ,
    .option = {"--flash-mode", "zero-wait|rws1", set_flash_mode},
    .feed = monitor_feed,
    .opened = port_opened,
    .touched = enter_monitor,
    .stay = enter_monitor,
};

struct image board_image(struct board *b)
{
    return (struct image){b->flash, sizeof b->flash, 0};
}

struct image board_ram(struct board *b)
{
    return (struct image){b->ram, sizeof b->ram, RAM_BASE};
}
