/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * uno.h -- the parts of the virtual Arduino Uno: an ATmega328P at 16 MHz on libsimavr, behind the
 * host of common/host.h. Part of a program that links libsimavr; see LICENSE in this folder.
 *
 * Facts about the MCU are from the ATmega328P data sheet, Microchip DS40002061 ("DS" below), cited
 * by the titles of its sections. Facts about libsimavr are about version 1.6; each cure is pinned by a test. */
#ifndef UNO_H
#define UNO_H

#include "../common/host.h"

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>

#define UNO_CLOCK_HZ 16000000u
#define UNO_FLASH_BYTES 32768u      /* DS "AVR Memories" */
#define UNO_BOOT_START 0x7E00u      /* 256 words, the Uno's fuses; DS "Boot Size Configuration" */
#define UNO_RAM_START 0x0100u       /* DS "SRAM Data Memory" */
#define UNO_RAM_END 0x08FFu

typedef struct uno uno;

/* ---- ihex.c ---- */

/* Reads an Intel HEX file whose data lies within [`start`, `start` + `size`) into `image`, after
 * filling that with 0xFF. 0, or -1 after a message. */
int ihex_load(const char *path, uint8_t *image, uint32_t start, size_t size);

/* ---- fault.c: what the MCU did that silicon would not survive ---- */

typedef struct {
    const char *reason;     /* NULL: no fault */
    uint32_t pc;            /* byte address, as avr-objdump prints it */
    uint32_t address;       /* the address or opcode in question */
} fault;

/* Sends libsimavr's messages to the fault of the board in `avr->custom.data`. */
void fault_listen(void);
/* Stops the MCU until the next reset. The first fault stays. */
void fault_raise(uno *u, const char *reason, uint32_t address);

/* ---- usart.c: the serial line, in emulated time ---- */

#define USART_DEPTH 3       /* characters the receiver holds, the shift register included */

typedef struct {
    avr_uart_t *vectors;    /* libsimavr's module, for its interrupt vectors */
    bool receiving;         /* a character is on its way to the receiver: `incoming` */
    bool doomed;            /* ... and finds it full */
    uint8_t incoming;
    uint8_t received[USART_DEPTH];
    unsigned unread;
    bool shifting;          /* a character is on its way out: `outgoing` */
    uint8_t outgoing;
    uint8_t buffered;       /* the next one, while UDRE is clear */
    uint64_t rx_bytes;      /* characters that reached an enabled receiver */
    uint64_t tx_bytes;
    uint64_t rx_overruns;
} usart;

int usart_init(uno *u);
void usart_reset(uno *u);
/* Starts the next character from the host if one waits and the line is free. */
void usart_feed(uno *u);
bool usart_is_busy(const uno *u);

/* ---- marks.c: stretches of code that the firmware brackets by GPIOR0 = 1, GPIOR0 = 2 ---- */

typedef struct {
    bool open;
    uint64_t began;
    uint64_t count, sum, first, last;   /* cycles */
} marks;

void marks_init(uno *u);

/* ---- stack.c: the lowest stack pointer ---- */

void stack_init(uno *u);

/* ---- core.c: making, resetting and running the MCU ---- */

int core_init(uno *u, const char *boot_hex);
/* RESET pulled low and released: EXTRF is set, DS "External Reset". `cause` is for the log. */
void core_external_reset(uno *u, const char *cause);
/* Runs until `until`, or until the MCU sleeps or faults. */
void core_run(uno *u, uint64_t until);
/* Time passes to `cycle` while the MCU sleeps; timers may wake it. */
void core_sleep_to(uno *u, uint64_t cycle);
/* The cycle at which the next peripheral event is due; UINT64_MAX if none. */
uint64_t core_next_event(const uno *u);
bool core_in_bootloader(const uno *u);

struct uno {
    avr_t *avr;
    avr_io_t reset_hook;        /* a module of ours among simavr's, to hear of every reset */
    host *host;
    fault fault;
    usart usart;
    marks marks;
    uint16_t min_sp;
    uint64_t instructions;
    uint64_t resets;            /* after power-on, of any kind */
    uint8_t boot[UNO_FLASH_BYTES - UNO_BOOT_START];
};

/* ---- status.c ---- */

bool uno_request(void *board, const char *word, char *answer, size_t size);

static inline uno *uno_of(const avr_t *avr) { return avr->custom.data; }

#endif
