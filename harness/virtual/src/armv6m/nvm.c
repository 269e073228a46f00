/* SPDX-License-Identifier: MIT
 *
 * nvm.c -- see nvm.h. */
#include "nvm.h"

#include <string.h>

#include "register.h"

enum {
    CTRLA = 0x00, CTRLB = 0x04, PARAM = 0x08, INTENCLR = 0x0C, INTENSET = 0x10, INTFLAG = 0x14,
    STATUS = 0x18, ADDR = 0x1C, LOCK = 0x20
};
enum {
    CMD_ERASE_ROW = 0x02, CMD_WRITE_PAGE = 0x04, CMD_LOCK_REGION = 0x40, CMD_UNLOCK_REGION = 0x41,
    CMD_CLEAR_PAGE = 0x44, CMD_INVALIDATE = 0x46
};

#define CMDEX 0xA5u
#define CTRLB_MANW (1u << 7)
#define CTRLB_READMODE(ctrlb) ((ctrlb) >> 16 & 3)
#define READMODE_DETERMINISTIC 2
#define CTRLB_CACHEDIS (1u << 18)
#define FLAG_READY 1u
#define FLAG_ERROR 2u
#define STATUS_LOAD 2u
#define STATUS_PROGE 4u
#define STATUS_LOCKE 8u
#define REGIONS 16u
#define PARAM_VALUE (3u << 16 | NVM_PAGES)      /* 64-byte pages */
#define IRQ_NVMCTRL 5u
#define ADDR_MASK 0x3FFFFFu

void nvm_init(struct nvm *nvm, struct cpu *cpu)
{
    *nvm = (struct nvm){.cpu = cpu};
    nvm_reset(nvm);
}

void nvm_reset(struct nvm *nvm)
{
    memset(nvm->page, 0xFF, sizeof nvm->page);
    nvm->ctrlb = CTRLB_MANW;
    nvm->address = 0;
    nvm->status = 0;
    nvm->lock = 0xFFFF;
    nvm->flags = nvm->inten = 0;
}

/* ---- the flash array ---- */

static void invalidate(struct nvm *nvm)
{
    memset(nvm->cpu->cache.line, 0xFF, sizeof nvm->cpu->cache.line);
    if (nvm->changed)
        nvm->changed(nvm->context);
}

static bool writable(const struct nvm *nvm, uint32_t address)
{
    return address >= NVM_BOOTPROT_BYTES && address < FLASH_SIZE &&
           (nvm->lock >> (address / (FLASH_SIZE / REGIONS)) & 1);
}

bool nvm_erase_row(struct nvm *nvm, uint32_t address)
{
    if (!writable(nvm, address))
        return false;
    memset(nvm->cpu->flash + (address & ~(NVM_ROW_BYTES - 1)), 0xFF, NVM_ROW_BYTES);
    invalidate(nvm);
    return true;
}

bool nvm_program(struct nvm *nvm, uint32_t address, const uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        if (!writable(nvm, address + i))
            return false;
        nvm->cpu->flash[address + i] &= data[i];
    }
    invalidate(nvm);
    return true;
}

/* ---- commands ---- */

static void fail(struct nvm *nvm, uint16_t status)
{
    nvm->status |= status;
    nvm->flags |= FLAG_ERROR;
}

static void clear_page(struct nvm *nvm)
{
    memset(nvm->page, 0xFF, sizeof nvm->page);
    nvm->status &= (uint16_t)~STATUS_LOAD;
}

static void write_page(struct nvm *nvm)
{
    uint32_t address = 2 * nvm->address & ~(NVM_PAGE_BYTES - 1);
    if (!nvm_program(nvm, address, nvm->page, NVM_PAGE_BYTES))
        fail(nvm, STATUS_LOCKE);
    clear_page(nvm);
}

static void lock_region(struct nvm *nvm, bool unlocked)
{
    uint32_t address = 2 * nvm->address;
    if (address >= FLASH_SIZE) {
        fail(nvm, STATUS_PROGE);
        return;
    }
    uint16_t region = (uint16_t)(1u << (address / (FLASH_SIZE / REGIONS)));
    nvm->lock = unlocked ? nvm->lock | region : nvm->lock & (uint16_t)~region;
}

static void command(struct nvm *nvm, uint32_t value)
{
    if (value >> 8 != CMDEX) {
        fail(nvm, STATUS_PROGE);
        return;
    }
    switch (value & 0x7F) {
    case CMD_ERASE_ROW:
        if (!nvm_erase_row(nvm, 2 * nvm->address))
            fail(nvm, STATUS_LOCKE);
        break;
    case CMD_WRITE_PAGE:
        write_page(nvm);
        break;
    case CMD_LOCK_REGION:
    case CMD_UNLOCK_REGION:
        lock_region(nvm, (value & 0x7F) == CMD_UNLOCK_REGION);
        break;
    case CMD_CLEAR_PAGE:
        clear_page(nvm);
        break;
    case CMD_INVALIDATE:
        memset(nvm->cpu->cache.line, 0xFF, sizeof nvm->cpu->cache.line);
        break;
    default:
        fail(nvm, STATUS_PROGE);
        break;
    }
}

bool nvm_load_page(struct nvm *nvm, uint32_t address, unsigned size, uint32_t value)
{
    uint32_t offset = address & (NVM_PAGE_BYTES - 1);
    if (size < 2)
        return false;
    memcpy(nvm->page + offset, &value, size);
    nvm->address = address / 2;
    nvm->status |= STATUS_LOAD;
    if (!(nvm->ctrlb & CTRLB_MANW) && offset + size == NVM_PAGE_BYTES)
        write_page(nvm);
    return true;
}

/* ---- registers ---- */

static void write_ctrlb(struct nvm *nvm, uint32_t value)
{
    nvm->ctrlb = value;
    nvm->cpu->cache.bypass =
        (value & CTRLB_CACHEDIS) || CTRLB_READMODE(value) == READMODE_DETERMINISTIC;
}

static uint8_t all_flags(const struct nvm *nvm)
{
    return (uint8_t)(nvm->flags | FLAG_READY);
}

static uint32_t word_at(const struct nvm *nvm, uint32_t offset)
{
    switch (offset) {
    case CTRLB:
        return nvm->ctrlb;
    case PARAM:
        return PARAM_VALUE;
    case INTENCLR:
    case INTENSET:
        return nvm->inten;
    case INTFLAG:
        return all_flags(nvm);
    case STATUS:
        return nvm->status;
    case ADDR:
        return nvm->address;
    case LOCK:
        return nvm->lock;
    default:
        return 0;
    }
}

uint32_t nvm_read(const struct nvm *nvm, uint32_t offset, unsigned size)
{
    return register_part(word_at(nvm, offset & ~3u), offset, size);
}

void nvm_write(struct nvm *nvm, uint32_t offset, unsigned size, uint32_t value)
{
    uint32_t merged = register_merge(word_at(nvm, offset & ~3u), offset, size, value);
    switch (offset & ~3u) {
    case CTRLA:
        command(nvm, value & 0xFFFF);
        break;
    case CTRLB:
        write_ctrlb(nvm, merged);
        break;
    case INTENCLR:
        nvm->inten &= (uint8_t)~value;
        break;
    case INTENSET:
        nvm->inten |= (uint8_t)value;
        break;
    case INTFLAG:
        nvm->flags &= (uint8_t)~value;
        break;
    case STATUS:
        nvm->status &= (uint16_t)~(value & (STATUS_PROGE | STATUS_LOCKE | STATUS_LOAD));
        break;
    case ADDR:
        nvm->address = merged & ADDR_MASK;
        break;
    default:
        break;
    }
    exception_irq_level(nvm->cpu, IRQ_NVMCTRL, (all_flags(nvm) & nvm->inten) != 0);
}

/* User row with BOOTPROT = 2, hence 8 KB (DS40001882, table "NVM User Row Mapping"); everything else
 * there is unprogrammed. The serial number is that of no real chip. */
uint32_t nvm_read_aux(uint32_t address, unsigned size)
{
    static const struct {
        uint32_t address, word;
    } words[] = {
        {0x804000, 0xD8E0C7FAu}, {0x804004, 0xFFFFFC5Du},
        {0x80A00C, 0x56495254u}, {0x80A040, 0x55414C00u}, {0x80A044, 0x4D4B5231u},
        {0x80A048, 0x30303000u},
    };
    uint32_t word = ~0u;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].address == (address & ~3u))
            word = words[i].word;
    return register_part(word, address, size);
}
