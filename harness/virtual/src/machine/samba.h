/* SPDX-License-Identifier: MIT
 *
 * samba.h -- a model of the SAM-BA monitor, as bossac speaks to it: one command letter, hexadecimal
 * arguments, `#`.
 *
 *     N#  T#              binary or terminal mode, answers "\n\r"
 *     V#                  the version and "\n\r"
 *     oA,4#  hA,4#  wA,4#     read a byte, halfword, word; answers it little-endian
 *     OA,V#  HA,V#  WA,V#     write one
 *     RA,N#               read N bytes            SA,N#  then N bytes: write them
 *     GA#                 run: SP = [A], PC = [A + 4], until it returns through LR
 *
 * Over USB the bytes of R and S follow as they are, over a UART by XMODEM. The bootloader of Arduino's
 * SAMD boards has three commands more:
 *
 *     XA#                 erase from A to the end of flash, answers "X\n\r"
 *     YA,0#  YA,N#        set the source buffer, copy N bytes of it to flash; "Y\n\r"
 *     ZA,N#               CRC-16/XMODEM, answers "Zxxxxxxxx#\n\r"
 *
 * In terminal mode answers are text and end with a prompt, for a person. */
#ifndef SAMBA_H
#define SAMBA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xmodem.h"

/* The machine under the monitor. An access that nothing answers reads as zero or is ignored. */
struct samba_target {
    const char *version;        /* what `V` answers */
    uint32_t longest_reply;     /* `R` and `Z` of more are cut there */
    bool over_uart;             /* R and S by XMODEM */
    uint32_t (*read)(void *context, uint32_t address, unsigned size);
    void (*write)(void *context, uint32_t address, unsigned size, uint32_t value);
    void (*run)(void *context, uint32_t address);
    void (*erase_from)(void *context, uint32_t address);    /* NULL: no X, Y, Z */
    void (*program)(void *context, uint32_t address, uint32_t source, uint32_t size);
    void (*reply)(void *context, uint8_t byte);
    void *context;
};

struct samba {
    const struct samba_target *target;
    bool terminal;
    char command;               /* 0: none yet */
    uint32_t argument[2];
    unsigned arguments;         /* index of the one being read */
    uint32_t receiving;         /* bytes of `S` still to come, at receive_at */
    uint32_t receive_at;
    uint32_t copy_source;       /* of `Y` */
    struct xmodem xmodem;
};

/* Also when the port is opened again: an uploader may have gone in the middle of a command. */
void samba_reset(struct samba *samba, const struct samba_target *target);
void samba_feed(struct samba *samba, uint8_t byte);

#endif
