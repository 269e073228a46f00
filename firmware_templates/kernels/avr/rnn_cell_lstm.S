/* SPDX-License-Identifier: MIT
 *
 * rnn_cell_lstm.S -- LSTM on an AVR. Contract: rnn_cell.h; twin: rnn_cell_lstm.c. */
#include "model_data.h"
#include "rnn_products.h"
#include "rnn_update_avr.h"

#define BIAS r2                 /* of gate i, unit j */
#define STATE r4                /* h[j] */
#define G_LO r14
#define G_HI r15
#define I r21
#define F r22
#define O r23

#define STATE_BYTES (RNN_STATE_BITS / 8)
#define BLOCK (4 * RNN_HIDDEN)  /* bytes of acc from one gate of a unit to the next */

    .section .bss.rnn_cell, "aw", @nobits
    .type rnn_lstm_cell, @object
    .size rnn_lstm_cell, 2 * RNN_HIDDEN
rnn_lstm_cell:
    .skip 2 * RNN_HIDDEN
    .type rnn_lstm_acc, @object
    .size rnn_lstm_acc, 4 * RNN_ROWS
rnn_lstm_acc:
    .skip 4 * RNN_ROWS

    least level_, RNN_B_ALIGN, RNN_Z_SHIFT
    least level_, level_, RNN_C_SHIFT
    plan_level RNN_PRE_BITS, level_

/* AT(at_) = index of the unit's row of block \block. X goes on to the next block. */
    .macro row_index block, shift
    load_level RNN_COMMON_ALIGN
    subi XL, lo8(4 - BLOCK)
    sbci XH, hi8(4 - BLOCK)
    bias_at BIAS, (\block * RNN_HIDDEN)
    index_of RNN_B_ALIGN, \shift
    .endm

/* r16:r25 = (c f + i g + 128) >> 8, clamped to int16: V says that the sum passed it. */
    .macro mix_cell
    ldd r18, Y + 0
    ldd r19, Y + 1
    gate_product r16, r25, r24, F, r18, r19
    subi r24, 0x80
    sbci r25, 0xFF
    sbci r16, 0xFF
    movw r18, G_LO
    gate_product r17, r15, r14, I, r18, r19
    add r24, r14
    adc r25, r15
    adc r16, r17
    brvc cell_next
    rjmp cell_clamped
cell_next:
    st Y+, r25
    st Y+, r16
    .endm

/* r16:r25 = (o tanh(c') + 128) >> 8. */
    .macro open_output
    mov AT(0), r25
    mov AT(1), r16
    .set pre_width_, level_width_
    .set level_width_, 2
    shift_index RNN_TC_SHIFT
    clip_index
    .set level_width_, pre_width_
    look_up_word r18, r19, rnn_table_tc
    gate_product r16, r25, r24, O, r18, r19
    subi r24, 0x80
    sbci r25, 0xFF
    sbci r16, 0xFF
    .endm

    enter rnn_cell_step
    clr ZERO
    ldi r24, lo8(rnn_lstm_acc)
    ldi r25, hi8(rnn_lstm_acc)
    call rnn_products
    ldi XL, lo8(rnn_lstm_acc)
    ldi XH, hi8(rnn_lstm_acc)
    ldi YL, lo8(rnn_lstm_cell)
    ldi YH, hi8(rnn_lstm_cell)
    ldi r24, lo8(rnn_model_b)
    ldi r25, hi8(rnn_model_b)
    movw BIAS, r24
    ldi r24, lo8(rnn_vectors)
    ldi r25, hi8(rnn_vectors)
    movw STATE, r24

unit:
    row_index 0, RNN_Z_SHIFT
    look_up_byte I, rnn_table_z
    row_index 1, RNN_Z_SHIFT
    look_up_byte F, rnn_table_z
    row_index 2, RNN_C_SHIFT
    look_up_word r18, r19, rnn_table_c
    movw G_LO, r18
    row_index 3, RNN_Z_SHIFT
    look_up_byte O, rnn_table_z
    subi XL, lo8(4 * BLOCK - 4)
    sbci XH, hi8(4 * BLOCK - 4)
    mix_cell
    open_output
    movw ZL, STATE
#if RNN_STATE_BITS == 8
    sign r24, r25
    cpse r16, r24
    rjmp clamped
    st Z+, r25
#else
    st Z+, r25
    st Z+, r16
#endif
next:
    movw STATE, ZL
    movw ZL, BIAS
    adiw ZL, 1
    movw BIAS, ZL
    ldi r24, hi8(rnn_lstm_cell + 2 * RNN_HIDDEN)
    cpi YL, lo8(rnn_lstm_cell + 2 * RNN_HIDDEN)
    cpc YH, r24
    breq last
    rjmp unit

/* The sum's sign has turned. */
cell_clamped:
    com r16
    end_of_range r16, r25, r16
    count_clamp 8
    rjmp cell_next

#if RNN_STATE_BITS == 8
clamped:
    end_of_range r24, r25, r16
    st Z+, r24
    count_clamp 8
    rjmp next
#endif

last:
    leave rnn_cell_step

/* void rnn_cell_reset(void) */
    .section .text.rnn_cell_reset, "ax", @progbits
    .global rnn_cell_reset
    .type rnn_cell_reset, @function
rnn_cell_reset:
    ldi ZL, lo8(rnn_lstm_cell)
    ldi ZH, hi8(rnn_lstm_cell)
    ldi r24, lo8(2 * RNN_HIDDEN)
    ldi r25, hi8(2 * RNN_HIDDEN)
1:  st Z+, r1
    sbiw r24, 1
    brne 1b
    jmp rnn_vectors_reset
    .size rnn_cell_reset, . - rnn_cell_reset
