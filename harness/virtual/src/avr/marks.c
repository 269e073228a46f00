/* SPDX-License-Identifier: GPL-3.0-or-later
 * marks.c -- see board.h. The count starts and ends at the OUT instructions themselves, so a stretch
 * of no instructions counts the one cycle of its first OUT plus what loads the second value. What an
 * interrupt takes, from its entry to the end of its RETI, is no part of the stretch that it cuts. */
#include "board.h"

#define GPIOR0 0x3E     /* data address; DS "General Purpose I/O Registers" */

enum { MARK_BEGIN = 1, MARK_END = 2 };

static void close_stretch(marks *m, uint64_t cycle)
{
    uint64_t taken = cycle - m->began - m->interrupts;
    if (m->count++ == 0)
        m->first = taken;
    m->last = taken;
    m->sum += taken;
    m->open = false;
}

static void on_write(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    board *b = parameter;
    avr->data[address] = value;
    if (value == MARK_BEGIN) {
        b->marks.open = true;
        b->marks.began = avr->cycle;
        b->marks.interrupts = 0;
    } else if (value == MARK_END && b->marks.open) {
        close_stretch(&b->marks, avr->cycle);
    }
}

void marks_interrupt_begins(board *b) { b->marks.interrupted = b->avr->cycle; }

void marks_interrupt_ends(board *b, uint64_t cycle)
{
    b->marks.interrupts += cycle - b->marks.interrupted;
}

void marks_init(board *b) { avr_register_io_write(b->avr, GPIOR0, on_write, b); }
