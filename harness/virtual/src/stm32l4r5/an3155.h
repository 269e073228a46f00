/* SPDX-License-Identifier: MIT
 *
 * an3155.h -- a model of the STM32 system bootloader's USART protocol, as stm32flash speaks it.
 *
 * Ref: ST AN3155, USART protocol used in the STM32 bootloader: 0x7F opens; a command is a byte and its
 * complement; addresses and data end with their XOR; the answer is ACK (0x79) or NACK (0x1F).
 *
 * Here: Get, Get Version, Get ID, Read Memory, Go, Write Memory, Extended Erase. Get does not list the
 * protection commands, which are not modelled and are refused. */
#ifndef AN3155_H
#define AN3155_H

#include <stdbool.h>
#include <stdint.h>

/* The chip under it. Each returns false for what it refuses. */
struct an3155_target {
    uint16_t id;
    bool (*read)(void *context, uint32_t address, uint8_t *byte);
    bool (*write)(void *context, uint32_t address, const uint8_t *bytes, uint32_t size);
    bool (*erase_page)(void *context, uint32_t page);
    void (*erase_all)(void *context);
    bool (*go)(void *context, uint32_t address);
    void (*reply)(void *context, uint8_t byte);
    void *context;
};

enum { AN3155_LONGEST = 2 * 4096 + 3 };     /* a list of pages, with its length and its check */

struct an3155 {
    const struct an3155_target *target;
    bool open;                      /* 0x7F has come */
    uint8_t command;
    unsigned stage;                 /* of the command: what is read next */
    uint32_t address;
    uint8_t bytes[AN3155_LONGEST];
    unsigned count, wanted;         /* of `bytes`: there, and needed before the next stage */
};

void an3155_reset(struct an3155 *a, const struct an3155_target *target);
void an3155_feed(struct an3155 *a, uint8_t byte);

#endif
