/* SPDX-License-Identifier: MIT
 *
 * eefc.c -- see eefc.h. */
#include "eefc.h"

#include <string.h>

enum { FMR = 0x0, FCR = 0x4, FSR = 0x8, FRR = 0xC };
enum {
    WRITE_PAGE = 0x01, WRITE_AND_LOCK = 0x02, ERASE_WRITE = 0x03, ERASE_WRITE_LOCK = 0x04,
    ERASE_ALL = 0x05, SET_LOCK = 0x08, CLEAR_LOCK = 0x09, GET_LOCK = 0x0A, SET_GPNVM = 0x0B,
    CLEAR_GPNVM = 0x0C, GET_GPNVM = 0x0D
};

#define FCR_KEY 0x5Au
#define FSR_READY 1u
#define FSR_COMMAND_ERROR 2u
#define FSR_LOCK_ERROR 4u
#define GPNVM_BITS 3u

void eefc_reset(struct eefc *e)
{
    e->mode = e->result = e->errors = 0;
    memset(e->latch, 0xFF, sizeof e->latch);
}

static void changed(struct eefc *e)
{
    if (e->changed)
        e->changed(e->context);
}

void eefc_erase(struct eefc *e)
{
    memset(e->flash, 0xFF, EEFC_PLANE_BYTES);
    e->locked = 0;
    changed(e);
}

static uint32_t region_bit(uint32_t page)
{
    return 1u << (page / (EEFC_PAGES / EEFC_REGIONS));
}

static void write_page(struct eefc *e, uint32_t page, bool erase)
{
    uint8_t *at = e->flash + page * EEFC_PAGE_BYTES;
    if (e->locked & region_bit(page)) {
        e->errors |= FSR_LOCK_ERROR;
        return;
    }
    for (unsigned i = 0; i < EEFC_PAGE_BYTES; i++)
        at[i] = erase ? e->latch[i] : at[i] & e->latch[i];
    memset(e->latch, 0xFF, sizeof e->latch);
    changed(e);
}

static void erase_all(struct eefc *e)
{
    if (e->locked) {
        e->errors |= FSR_LOCK_ERROR;
        return;
    }
    memset(e->flash, 0xFF, EEFC_PLANE_BYTES);
    changed(e);
}

static void page_command(struct eefc *e, uint32_t command, uint32_t page)
{
    if (page >= EEFC_PAGES) {
        e->errors |= FSR_COMMAND_ERROR;
        return;
    }
    if (command == SET_LOCK || command == CLEAR_LOCK) {
        e->locked &= ~region_bit(page);
        e->locked |= command == SET_LOCK ? region_bit(page) : 0;
        return;
    }
    write_page(e, page, command == ERASE_WRITE || command == ERASE_WRITE_LOCK);
    if (command == WRITE_AND_LOCK || command == ERASE_WRITE_LOCK)
        e->locked |= region_bit(page);
}

static void gpnvm_command(struct eefc *e, uint32_t command, uint32_t bit)
{
    if (!e->gpnvm || (command != GET_GPNVM && bit >= GPNVM_BITS))
        e->errors |= FSR_COMMAND_ERROR;
    else if (command == GET_GPNVM)
        e->result = *e->gpnvm;
    else if (command == SET_GPNVM)
        *e->gpnvm |= 1u << bit;
    else
        *e->gpnvm &= ~(1u << bit);
}

static void execute(struct eefc *e, uint32_t command, uint32_t argument)
{
    switch (command) {
    case ERASE_ALL:
        erase_all(e);
        break;
    case GET_LOCK:
        e->result = e->locked;
        break;
    case WRITE_PAGE:
    case WRITE_AND_LOCK:
    case ERASE_WRITE:
    case ERASE_WRITE_LOCK:
    case SET_LOCK:
    case CLEAR_LOCK:
        page_command(e, command, argument);
        break;
    case SET_GPNVM:
    case CLEAR_GPNVM:
    case GET_GPNVM:
        gpnvm_command(e, command, argument);
        break;
    default:
        e->errors |= FSR_COMMAND_ERROR;
        break;
    }
}

uint32_t eefc_read(struct eefc *e, uint32_t offset)
{
    uint32_t errors = e->errors;
    switch (offset) {
    case FMR:
        return e->mode;
    case FSR:
        e->errors = 0;
        return errors | FSR_READY;
    case FRR:
        return e->result;
    default:
        return 0;
    }
}

void eefc_write(struct eefc *e, uint32_t offset, uint32_t value)
{
    if (offset == FMR)
        e->mode = value;
    else if (offset == FCR && value >> 24 != FCR_KEY)
        e->errors |= FSR_COMMAND_ERROR;
    else if (offset == FCR)
        execute(e, value & 0xFF, value >> 8 & 0xFFFF);
}

bool eefc_latch(struct eefc *e, uint32_t offset, unsigned size, uint32_t value)
{
    if (size != 4)
        return false;
    memcpy(e->latch + offset % EEFC_PAGE_BYTES, &value, 4);
    return true;
}
