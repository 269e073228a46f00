/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * board.h -- the parts of a virtual Arduino with an ATmega on it (Uno: ATmega328P, Mega 2560:
 * ATmega2560) at 16 MHz on libsimavr, behind the host of common/host.h. Part of a program that links
 * libsimavr; see LICENSE in this folder.
 *
 * Which MCU and which bootloader are arguments; sizes come from libsimavr's description of the MCU.
 * The registers used here have the same addresses in both.
 *
 * Facts about the MCUs are from their data sheets, Microchip DS40002061 (ATmega328P) and DS40002211
 * (ATmega2560), "DS" below, cited by the titles of their sections. Facts about libsimavr are about
 * version 1.6; each cure is pinned by a test. */
#ifndef BOARD_H
#define BOARD_H

#include "../common/host.h"

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>

#define BOARD_CLOCK_HZ 16000000u

typedef struct board board;

/* ---- ihex.c ---- */

/* Reads an Intel HEX file whose data lies below `size` into `image`, after filling that with 0xFF.
 * The lowest address with data, or -1 after a message. */
int64_t ihex_load(const char *path, uint8_t *image, size_t size);

/* ---- fault.c: what the MCU did that silicon would not survive ---- */

typedef struct {
    const char *reason;     /* NULL: no fault */
    uint32_t pc;            /* byte address, as avr-objdump prints it */
    uint32_t address;       /* the address or opcode in question */
} fault;

/* Sends libsimavr's messages to the fault of the board in `avr->custom.data`. */
void fault_listen(void);
/* Stops the MCU until the next reset. The first fault stays. */
void fault_raise(board *b, const char *reason, uint32_t address);

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

int usart_init(board *b);
void usart_reset(board *b);
/* Starts the next character from the host if one waits and the line is free. */
void usart_feed(board *b);
bool usart_is_busy(const board *b);

/* ---- marks.c: stretches of code that the firmware brackets by GPIOR0 = 1, GPIOR0 = 2 ---- */

typedef struct {
    bool open;
    uint64_t began;
    uint64_t interrupted;               /* cycle of the last interrupt's entry */
    uint64_t interrupts;                /* cycles of those since `began` */
    uint64_t count, sum, first, last;   /* cycles */
} marks;

void marks_init(board *b);
void marks_interrupt_begins(board *b);
/* `cycle`: at the end of RETI. Nested interrupts are not told apart. */
void marks_interrupt_ends(board *b, uint64_t cycle);

/* ---- stack.c: the lowest stack pointer of the program, the bootloader's apart ---- */

void stack_init(board *b);

/* ---- core.c: making, resetting and running the MCU ---- */

/* `mcu` is libsimavr's name. The bootloader is where reset goes (fuse BOOTRST) and all flash from its
 * first byte on is the boot section. 0, or -1 after a message. */
int core_init(board *b, const char *mcu, const char *boot_hex);
/* RESET pulled low and released: EXTRF is set, DS "External Reset". `cause` is for the log. */
void core_external_reset(board *b, const char *cause);
void core_brown_out(board *b);
/* Runs until `until`, or until the MCU sleeps or faults. */
void core_run(board *b, uint64_t until);
/* Time passes to `cycle` while the MCU sleeps; timers may wake it. */
void core_sleep_to(board *b, uint64_t cycle);
/* The cycle at which the next peripheral event is due; UINT64_MAX if none. */
uint64_t core_next_event(const board *b);
bool core_in_bootloader(const board *b);
/* Bytes of flash and the limits of SRAM. */
uint32_t core_flash_bytes(const board *b);
uint16_t core_ram_start(const board *b);
uint16_t core_ram_end(const board *b);

struct board {
    avr_t *avr;
    avr_io_t reset_hook;        /* a module of ours among simavr's, to hear of every reset */
    host *host;
    uint32_t boot_start;        /* byte address; the end of the application's flash */
    bool was_in_bootloader;
    uint32_t previous_pc;       /* of the instruction that ran last */
    fault fault;
    usart usart;
    marks marks;
    uint16_t min_sp;
    uint64_t instructions;
    uint64_t resets;            /* after power-on, of any kind */
};

/* ---- status.c ---- */

bool board_request(void *context, const char *word, char *answer, size_t size);

static inline board *board_of(const avr_t *avr) { return avr->custom.data; }

#endif
