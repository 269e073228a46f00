/* SPDX-License-Identifier: MIT
 *
 * rnn_input_narrow.S -- the input stage on an AVR where it shifts by 16 and the lowest byte of each
 * offset is 0. Contract: rnn_input.h, rnn_compand_s16.h and rnn_standardise_s16_s8.h.
 *
 * rnn_table_pre has per channel: whether it is companded (with RNN_COMPANDED), the multiplier, and
 * bytes 1 .. 3 of offset + 2^23, so that x + 128 is byte 2 of the sum where byte 3 is 0. */
#include "model_data.h"

#define ZERO r2
#define V_LO r18
#define V_HI r19
#define OCTAVE r22
#define M_LO r20                /* the multiplier; Z is kept here meanwhile */
#define M_HI r21
#define SUM_1 r22
#define SUM_2 r23
#define SUM_3 r24
#define COUNT r25

#include "rnn_function_avr.h"
#include "rnn_compand_avr.h"

#define X_ADDRESS (rnn_vectors + RNN_HIDDEN)

    .section .text.rnn_input, "ax", @progbits

/* void rnn_input(const int16_t *raw) */
    .global rnn_input
    .type rnn_input, @function
rnn_input:
    push r2
    push r28
    push r29
    movw XL, r24
    clr ZERO
    ldi YL, lo8(X_ADDRESS)
    ldi YH, hi8(X_ADDRESS)
    ldi ZL, lo8(rnn_table_pre)
    ldi ZH, hi8(rnn_table_pre)
    ldi COUNT, RNN_FEATURES
channel:
    ld V_LO, X+
    ld V_HI, X+
#if RNN_COMPANDED
    lpm r0, Z+
    tst r0
    breq standardise
    movw M_LO, ZL
    compand
    movw ZL, M_LO
standardise:
#endif
    lpm M_LO, Z+
    lpm M_HI, Z+
    lpm SUM_1, Z+
    lpm SUM_2, Z+
    lpm SUM_3, Z+
    muls V_HI, M_HI
    add SUM_2, r0
    adc SUM_3, r1
    mul V_LO, M_LO
    add SUM_1, r1
    adc SUM_2, ZERO
    adc SUM_3, ZERO
    mulsu V_HI, M_LO
    sbc SUM_3, ZERO
    add SUM_1, r0
    adc SUM_2, r1
    adc SUM_3, ZERO
    mulsu M_HI, V_LO
    sbc SUM_3, ZERO
    add SUM_1, r0
    adc SUM_2, r1
    adc SUM_3, ZERO
    brne clamped
store:
    subi SUM_2, 0x80
    st Y+, SUM_2
    dec COUNT
#if RNN_COMPANDED
    breq last
    rjmp channel
last:
#else
    brne channel
#endif
    pop r29
    pop r28
    pop r2
    clr r1
    ret

/* The end of int8 on the sum's side. */
clamped:
    ldi SUM_2, 0xFF
    sbrc SUM_3, 7
    ldi SUM_2, 0
    sec
    .irp byte, 0, 1, 2, 3
    lds r0, rnn_counters + \byte
    adc r0, ZERO
    sts rnn_counters + \byte, r0
    .endr
    rjmp store
    .size rnn_input, . - rnn_input
