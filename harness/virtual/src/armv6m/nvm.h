/* SPDX-License-Identifier: MIT
 *
 * nvm.h -- the NVM controller: page buffer, row erase, page write, protection, user row.
 *
 * Ref: DS40001882, chapter "NVMCTRL - Non-Volatile Memory Controller".
 *
 * Commands take no time. Programming only clears bits, erasing sets a row of 256 bytes. What lies
 * below BOOTPROT cannot be changed: LOCKE is set instead. */
#ifndef NVM_H
#define NVM_H

#include "cpu.h"

#define NVM_PAGE_BYTES 64u
#define NVM_ROW_BYTES 256u
#define NVM_PAGES 4096u
#define NVM_BOOTPROT_BYTES 0x2000u
#define NVM_AUX_BASE 0x800000u      /* user row, calibration, serial number */
#define NVM_AUX_SIZE 0x10000u

struct nvm {
    struct cpu *cpu;
    uint8_t page[NVM_PAGE_BYTES];
    uint32_t ctrlb, address;        /* address in halfwords, as in ADDR */
    uint16_t status, lock;
    uint8_t flags, inten;
    void (*changed)(void *context); /* flash contents are different now; may be NULL */
    void *context;
};

void nvm_init(struct nvm *nvm, struct cpu *cpu);
void nvm_reset(struct nvm *nvm);
uint32_t nvm_read(const struct nvm *nvm, uint32_t offset, unsigned size);
void nvm_write(struct nvm *nvm, uint32_t offset, unsigned size, uint32_t value);

/* A store to the flash array goes to the page buffer; false for a byte store, which faults. */
bool nvm_load_page(struct nvm *nvm, uint32_t address, unsigned size, uint32_t value);
uint32_t nvm_read_aux(uint32_t address, unsigned size);

/* For the monitor. False if protected. */
bool nvm_erase_row(struct nvm *nvm, uint32_t address);
bool nvm_program(struct nvm *nvm, uint32_t address, const uint8_t *data, uint32_t size);

#endif
