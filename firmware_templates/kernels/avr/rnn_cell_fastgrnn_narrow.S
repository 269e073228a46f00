/* SPDX-License-Identifier: MIT
 *
 * rnn_cell_fastgrnn_narrow.S -- a whole step of FastGRNN on an AVR, low rank on both sides, whose
 * sums are all proved to fit int16 and whose elements are bytes. Contract: rnn_cell.h; twin:
 * rnn_cell_fastgrnn.c. What is proved: harness/reference/reach.py. */
#include "model_data.h"
#include "rnn_results_avr.h"

#define INNER (RNN_U_RANK + RNN_W_RANK)

/* A column of an index list is an address: its vectors lie in one page. */
#define PAGED_index 1
#define PAGED_dense 0
#define PAGED_code 0
#define PAGED_(form) PAGED_##form
#define PAGED(form) PAGED_(form)

    .section .bss.rnn_vectors, "aw", @nobits
#if PAGED(RNN_U2T_STORAGE) || PAGED(RNN_W2T_STORAGE) || PAGED(RNN_U1W1_STORAGE)
    .balign 256
#endif
    .global rnn_vectors
    .type rnn_vectors, @object
    .size rnn_vectors, INNER_PLACE
rnn_vectors:
    .skip INNER_PLACE + INNER

#define PRODUCT(M, place, rows, cols)                                                            \
    narrow_product RNN_##M##_STORAGE, RNN_##M##_DATA, place, rows, cols, RNN_##M##_LONGEST, \
        RESULT_##M

/* void rnn_cell_step(void) */
    enter rnn_cell_step
    clr ZERO
    ldi YL, lo8(rnn_vectors + INNER_PLACE)
    ldi YH, hi8(rnn_vectors + INNER_PLACE)
    PRODUCT(U2T, 0, RNN_U_RANK, RNN_HIDDEN)
    PRODUCT(W2T, X_PLACE, RNN_W_RANK, RNN_FEATURES)
    ldi YL, lo8(rnn_vectors)
    ldi YH, hi8(rnn_vectors)
    PRODUCT(U1W1, INNER_PLACE, RNN_HIDDEN, INNER)
    leave rnn_cell_step

/* r1 = the end of int8 beyond which a state went, whose sign in r1 has turned; counted. */
    .section .text.rnn_narrow_clamped, "ax", @progbits
    .global rnn_narrow_clamped
    .type rnn_narrow_clamped, @function
rnn_narrow_clamped:
    sign r17, r1                        /* -1: it went up, to 127 */
    ldi r21, 0x80
    eor r17, r21
    mov r1, r17
    sec
    .irp byte, 8, 9, 10, 11
    lds r0, rnn_counters + \byte
    adc r0, ZERO
    sts rnn_counters + \byte, r0
    .endr
    ret
    .size rnn_narrow_clamped, . - rnn_narrow_clamped

/* void rnn_cell_reset(void) */
    .section .text.rnn_cell_reset, "ax", @progbits
    .global rnn_cell_reset
    .type rnn_cell_reset, @function
rnn_cell_reset:
    vector_x 0
    ldi ZL, INNER_PLACE
1:  st X+, r1
    dec ZL
    brne 1b
    ret
    .size rnn_cell_reset, . - rnn_cell_reset
