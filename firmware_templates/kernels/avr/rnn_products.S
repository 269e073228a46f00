/* SPDX-License-Identifier: MIT
 *
 * rnn_products.S -- W x and U h on an AVR. Contract: rnn_products.h; twin: rnn_products.c.
 *
 * Registers are saved once for all products of a step, and a sum leaves its registers only when it
 * is whole. How wide sums are is proved per matrix (harness/firmware/avr.py); the products
 * themselves are in rnn_matvec_avr.h. */
#include "model_data.h"
#include "rnn_results_avr.h"

#define X_OFFSET (RNN_HIDDEN * BYTES(RNN_H_TYPE))
#define VECTORS_SIZE (X_OFFSET + RNN_INPUTS * BYTES(RNN_X_TYPE))

#if RNN_W_RANK > RNN_U_RANK
#define INNER RNN_W_RANK
#else
#define INNER RNN_U_RANK
#endif

/* ---- static data ---- */

    .section .bss.rnn_vectors, "aw", @nobits
    .global rnn_vectors
    .type rnn_vectors, @object
    .size rnn_vectors, VECTORS_SIZE
rnn_vectors:
    .skip VECTORS_SIZE

#if INNER
    .section .bss.rnn_products_inner, "aw", @nobits
    .type inner, @object
    .size inner, INNER * BYTES(RNN_T_TYPE)
inner:
    .skip INNER * BYTES(RNN_T_TYPE)
#endif

/* ---- the two sides: Y = acc, ZERO = 0 ---- */

    .macro vector_at address
    ldi XL, lo8(\address)
    ldi XH, hi8(\address)
    .endm

    .macro save_y
    push YL
    push YH
    .endm

    .macro restore_y
    pop YH
    pop YL
    .endm

#define MATVEC(M, rows, cols) \
    matvec RNN_##M##_STORAGE, BYTES(RNN_##M##_VECTOR), RNN_##M##_SUM_BYTES, RNN_##M##_DATA, \
        rows, cols, RESULT_##M

/* inner = the first product, acc = the second. */
#define LOW_RANK(M1, M2T, rank, cols)   \
    save_y                            $ \
    ldi YL, lo8(inner)                $ \
    ldi YH, hi8(inner)                $ \
    MATVEC(M2T, rank, cols)           $ \
    restore_y                         $ \
    vector_at inner                   $ \
    MATVEC(M1, RNN_ROWS, rank)

    .macro product_w
    vector_at rnn_vectors + X_OFFSET
#if RNN_W_RANK
    LOW_RANK(W1, W2T, RNN_W_RANK, RNN_INPUTS)
#else
    MATVEC(W, RNN_ROWS, RNN_INPUTS)
#endif
    .endm

#if RNN_RECURRENT
    .macro product_u
    vector_at rnn_vectors
#if RNN_U_RANK
    LOW_RANK(U1, U2T, RNN_U_RANK, RNN_HIDDEN)
#else
    MATVEC(U, RNN_ROWS, RNN_HIDDEN)
#endif
    .endm
#endif

    .section .text.rnn_products, "ax", @progbits

first:
#if RNN_W_FIRST
    product_w
#else
    product_u
#endif
    ret

#if RNN_RECURRENT
second:
#if RNN_W_FIRST
    product_u
#else
    product_w
#endif
    ret
#endif

/* ---- functions of C: acc in r25:r24 ---- */

/* void rnn_products(int32_t *acc) */
    enter rnn_products
    movw YL, r24
    clr ZERO
#if RNN_RECURRENT
    save_y
    rcall first
    restore_y
    rcall second
#else
    rcall first
#endif
    leave rnn_products

/* void rnn_product_first(int32_t *acc) */
    enter rnn_product_first
    movw YL, r24
    clr ZERO
    call first
    leave rnn_product_first

#if RNN_RECURRENT
/* void rnn_product_second(int32_t *acc) */
    enter rnn_product_second
    movw YL, r24
    clr ZERO
    call second
    leave rnn_product_second
#endif

/* void rnn_vectors_reset(void) */
    .section .text.rnn_vectors_reset, "ax", @progbits
    .global rnn_vectors_reset
    .type rnn_vectors_reset, @function
rnn_vectors_reset:
    vector_at rnn_vectors
    ldi ZL, lo8(VECTORS_SIZE)
    ldi ZH, hi8(VECTORS_SIZE)
1:  st X+, r1
    sbiw ZL, 1
    brne 1b
    ret
    .size rnn_vectors_reset, . - rnn_vectors_reset

#if INNER
/* An inner value passed int16: EXTEND and WEIGHT become the end of int16 on the side of WEIGHT's
 * sign, and the clamp is counted in rnn_counters.mid. */
    .section .text.rnn_mid_clamped, "ax", @progbits
    .global rnn_mid_clamped
    .type rnn_mid_clamped, @function
rnn_mid_clamped:
    sign EXTEND, WEIGHT
    mov WEIGHT, EXTEND
    com EXTEND
    ldi V_LO, 0x7F
    eor WEIGHT, V_LO
    sec
    .irp byte, 4, 5, 6, 7
    lds r0, rnn_counters + \byte
    adc r0, ZERO
    sts rnn_counters + \byte, r0
    .endr
    ret
    .size rnn_mid_clamped, . - rnn_mid_clamped
#endif
