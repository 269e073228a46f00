/* SPDX-License-Identifier: GPL-3.0-or-later
 * stack.c -- see board.h. Every change of the stack pointer, a push as well as an OUT, goes through
 * the write hooks of SPL and SPH, so the minimum is exact without looking at each instruction.
 *
 * libsimavr writes SPL, then SPH, for a push. Compiled code moves SP by OUT SPH, then OUT SPL, with
 * interrupts off; in between, SP is half old and half new. So a push is looked at when SPH is
 * written, an OUT when SPL is. */
#include "board.h"

#define SPL_IO 0x3D
#define SPH_IO 0x3E

static bool is_out_to(const avr_t *avr, uint16_t io)
{
    unsigned opcode = (unsigned)avr->flash[avr->pc] | (unsigned)avr->flash[avr->pc + 1] << 8;
    return (opcode & 0xFE0F) == (0xB800u | 0x0600u | (io & 0x0F));     /* io 0x30..0x3F */
}

static void look(board *b)
{
    const uint8_t *data = b->avr->data;
    uint16_t sp = (uint16_t)(data[R_SPL] | data[R_SPH] << 8);
    if (sp < b->min_sp && !core_in_bootloader(b))
        b->min_sp = sp;
    if (sp < core_ram_start(b) - 1)
        fault_raise(b, "stack pointer below SRAM", sp);
}

static void on_spl(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    avr->data[address] = value;
    if (is_out_to(avr, SPL_IO))
        look(parameter);
}

static void on_sph(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    avr->data[address] = value;
    if (!is_out_to(avr, SPH_IO))
        look(parameter);
}

void stack_init(board *b)
{
    avr_register_io_write(b->avr, R_SPL, on_spl, b);
    avr_register_io_write(b->avr, R_SPH, on_sph, b);
}
