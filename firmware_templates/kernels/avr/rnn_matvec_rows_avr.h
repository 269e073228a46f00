/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_rows_avr.h -- a dense product of any shape as a C function, with sums of 32 bits:
 *
 *   name(matrix r25:r24, v r23:r22, acc r21:r20, rows r19:r18, cols r17:r16, add r14) */
#ifndef RNN_MATVEC_ROWS_AVR_H
#define RNN_MATVEC_ROWS_AVR_H

#include "rnn_matvec_avr.h"

#define GO_LO r6                /* rows to go */
#define GO_HI r7
#define COLS_LO r12
#define ADD_FLAG r14

    .macro matvec_rows name, V
    enter \name
    movw ZL, r24
    movw BASE_LO, r22
    movw YL, r20
    movw GO_LO, r18
    movw COLS_LO, r16
    clr ZERO
row:
    .set byte_, 0
    .rept 4
    clr SUM(byte_)
    .set byte_, byte_ + 1
    .endr
    cpse ADD_FLAG, ZERO
    rcall load
    movw XL, BASE_LO
    movw r24, COLS_LO
weight:
    load_element \V
    lpm WEIGHT, Z+
    multiply_add \V, 4, 0
    sbiw r24, 1
    brne weight
    finish_set 4, 0, 0
    ldi WEIGHT, 1
    sub GO_LO, WEIGHT
    sbc GO_HI, ZERO
    brne row                    /* Z says that both bytes are 0 */
    leave \name
load:
    load_acc 4, 0
    ret
    .endm

#endif
