/* SPDX-License-Identifier: MIT
 *
 * rnn_compand_avr.h -- assembler macro: a sample through the compander; rnn_compand_s16.h.
 *
 * Registers: V_LO, V_HI, OCTAVE, of r16 .. r25; ZERO = 0. Z and T are scratch. */
#ifndef RNN_COMPAND_AVR_H
#define RNN_COMPAND_AVR_H

/* V_LO = the mantissa of V_HI:V_LO with its leading one, 16 .. 31 (or all of it below 16); OCTAVE
 * is 16 times the halvings that takes. The first step takes 4 or 8 of them at once. */
    .macro halve
    ldi OCTAVE, 0
    tst V_HI
    breq 2f
    cpi V_HI, 16
    brlo 1f
    mov V_LO, V_HI                      /* 8 */
    ldi OCTAVE, 128
    rjmp 2f
1:  swap V_LO                           /* 4 */
    andi V_LO, 0x0F
    swap V_HI
    or V_LO, V_HI
    ldi OCTAVE, 64
2:  cpi V_LO, 32
    brlo 3f
    lsr V_LO
    subi OCTAVE, -16
    rjmp 2b
3:
    .endm

    .macro negate low, high
    com \high
    neg \low
    sbci \high, 0xFF
    .endm

/* V = sign(V) * compander[bucket(|V|)]. */
    .macro compand
    bst V_HI, 7
    brtc 1f
    negate V_LO, V_HI
    brpl 1f
    ldi V_LO, 0xFF                      /* -32768 counts as -32767 */
    ldi V_HI, 0x7F
1:  halve
    add V_LO, OCTAVE
    ldi ZL, lo8(rnn_table_compander)
    ldi ZH, hi8(rnn_table_compander)
    add ZL, V_LO
    adc ZH, ZERO
    add ZL, V_LO
    adc ZH, ZERO
    lpm V_LO, Z+
    lpm V_HI, Z
    brtc 1f
    negate V_LO, V_HI
1:
    .endm

#endif
