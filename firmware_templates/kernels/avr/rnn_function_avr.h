/* SPDX-License-Identifier: MIT
 *
 * rnn_function_avr.h -- assembler macros: a function of C that may use every register, and the sign
 * of a byte. */
#ifndef RNN_FUNCTION_AVR_H
#define RNN_FUNCTION_AVR_H

/* The registers that a function must keep, but r1: avr-gcc ABI. */
    .macro enter name
    .section .text.\name, "ax", @progbits
    .global \name
    .type \name, @function
\name:
    .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29
    push r\n
    .endr
    .endm

    .macro leave name
    .irp n, 29, 28, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2
    pop r\n
    .endr
    clr r1
    ret
    .size \name, . - \name
    .endm

/* \to = the sign of \from, 0 or -1. */
    .macro sign to, from
    mov \to, \from
    lsl \to
    sbc \to, \to
    .endm

#endif
