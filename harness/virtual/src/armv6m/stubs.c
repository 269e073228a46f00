/* SPDX-License-Identifier: MIT
 *
 * stubs.c -- see stubs.h. Ref: DS40001882, figure "Product Mapping" and each chapter's register
 * summary. */
#include "stubs.h"

#include <stddef.h>
#include <string.h>

#include "register.h"

/* The peripherals that exist, each up to the next boundary of 1 KB unless it says more. */
static const struct {
    uint32_t base, size;
} peripherals[] = {
    {0x40000000, 0x1C00},   /* PAC0, PM, SYSCTRL, GCLK, WDT, RTC, EIC */
    {0x41000000, 0x400},    /* PAC1 */
    {0x41002000, 0x2000},   /* DSU */
    {0x41005000, 0x400},    /* USB */
    {0x41006000, 0x400},    /* MTB */
    {0x41007000, 0x400},    /* SBMATRIX */
    {0x42000000, 0x5400},   /* PAC2, EVSYS, SERCOM0-5, TCC0-2, TC3-7, ADC, AC, DAC, PTC, I2S */
};

/* Words that do not read as written: (stored & keep) | set. */
static const struct {
    uint32_t address, keep, set;
} overrides[] = {
    {0x4000080C, 0, 0x000082DF},            /* SYSCTRL.PCLKSR: oscillators ready, DFLL locked */
    {0x40000850, 0, 0x00000003},            /* SYSCTRL.DPLLSTATUS: locked, ready */
    {0x40000C00, 0xFFFF00FE, 0},            /* GCLK.CTRL.SWRST, STATUS.SYNCBUSY */
    {0x40001004, 0x00FFFFFF, 0},            /* WDT.STATUS */
    {0x40001400, 0xFFFFFFFE, 0},            /* RTC.CTRL.SWRST */
    {0x40001408, 0xFF00FFFF, 0},            /* RTC.STATUS */
    {0x40001800, 0xFFFF00FE, 0},            /* EIC.CTRL.SWRST, STATUS */
    {0x41002018, 0, 0x10010305},            /* DSU.DID: SAM D21G18A, revision D */
    {0x41005000, 0xFF00FFFE, 0},            /* USB.CTRLA.SWRST, SYNCBUSY */
    {0x42002000, 0xFFFFFFFE, 0}, {0x42002008, 0, 0},            /* TCC0.CTRLA.SWRST, SYNCBUSY */
    {0x42002400, 0xFFFFFFFE, 0}, {0x42002408, 0, 0},
    {0x42002800, 0xFFFFFFFE, 0}, {0x42002808, 0, 0},
    {0x42002C00, 0xFFFFFFFE, 0}, {0x42002C0C, 0x00FFFFFF, 0},   /* TC3.CTRLA.SWRST, STATUS */
    {0x42003000, 0xFFFFFFFE, 0}, {0x4200300C, 0x00FFFFFF, 0},
    {0x42003400, 0xFFFFFFFE, 0}, {0x4200340C, 0x00FFFFFF, 0},
    {0x42003800, 0xFFFFFFFE, 0}, {0x4200380C, 0x00FFFFFF, 0},
    {0x42003C00, 0xFFFFFFFE, 0}, {0x42003C0C, 0x00FFFFFF, 0},
    {0x42004000, 0xFFFFFFFE, 0}, {0x42004018, 0xFFFF00FF, 0x01},    /* ADC: synchronised, ready */
    {0x42004400, 0xFFFFFFFE, 0}, {0x42004408, 0xFFFF00FF, 0},       /* AC.CTRLA.SWRST, STATUSB */
    {0x42004800, 0xFFFFFFFE, 0}, {0x42004804, 0x00FFFFFF, 0},       /* DAC.CTRLA.SWRST, STATUS */
    {0x42005000, 0xFFFFFFFE, 0}, {0x42005008, 0, 0},                /* I2S.CTRLA.SWRST, SYNCBUSY */
};

#define PM_RCAUSE 0x40000438u

void stubs_reset(struct stubs *stubs, uint8_t reset_cause)
{
    memset(stubs, 0, sizeof *stubs);
    stubs->reset_cause = reset_cause;
}

static bool exists(uint32_t address)
{
    for (size_t i = 0; i < sizeof peripherals / sizeof *peripherals; i++)
        if (address - peripherals[i].base < peripherals[i].size)
            return true;
    return false;
}

static uint32_t override(const struct stubs *stubs, uint32_t address, uint32_t word)
{
    if (address == PM_RCAUSE)
        return stubs->reset_cause;
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++)
        if (overrides[i].address == address)
            return (word & overrides[i].keep) | overrides[i].set;
    return word;
}

bool stubs_read(const struct stubs *stubs, uint32_t address, unsigned size, uint32_t *value)
{
    uint32_t word, aligned = address & ~3u;
    if (!exists(address))
        return false;
    memcpy(&word, &stubs->store[address >> 24 & 3][aligned & (STUBS_BRIDGE_BYTES - 1)], 4);
    *value = register_part(override(stubs, aligned, word), address, size);
    return true;
}

bool stubs_write(struct stubs *stubs, uint32_t address, unsigned size, uint32_t value)
{
    if (!exists(address))
        return false;
    memcpy(&stubs->store[address >> 24 & 3][address & (STUBS_BRIDGE_BYTES - 1)], &value, size);
    return true;
}
