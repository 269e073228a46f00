/* SPDX-License-Identifier: MIT
 *
 * rnn_products.S -- the products of a step on ARMv6-M, one after the other with one save of the
 * registers. Contract: cells/rnn_products.h. Sizes, shifts and storages are model_data.h's, so every
 * product is made for its matrix. */
#include "model_data.h"
#include "rnn_counters.h"
#include "rnn_products.h"

#define RNN_ONE_IN_X (RNN_BIAS_COLUMN && !RNN_W_RANK)
#define X_PLACE (RNN_HIDDEN * H_BYTES)
#define VECTORS_BYTES (X_PLACE + RNN_INPUTS * H_BYTES + RNN_ONE_IN_X * H_BYTES)
#if RNN_JOINT
#define INNER (RNN_U_RANK + RNN_W_RANK)
#elif RNN_U_RANK > RNN_W_RANK
#define INNER RNN_U_RANK
#else
#define INNER RNN_W_RANK
#endif

#include "rnn_units.inc"
#include "rnn_block.inc"
#include "rnn_pairs.inc"
#include "rnn_bitmap.inc"

#if RNN_U_RANK
        .equ    JOINT_COLS, RNN_U_RANK + RNN_W_RANK + RNN_BIAS_COLUMN
#else
        .equ    JOINT_COLS, RNN_HIDDEN + RNN_INPUTS + RNN_BIAS_COLUMN
#endif

        .section .bss.rnn_vectors, "aw", %nobits
        .balign 4
        .global rnn_vectors
        .type   rnn_vectors, %object
rnn_vectors:
        .space  (VECTORS_BYTES + 3) / 4 * 4
        .size   rnn_vectors, . - rnn_vectors

#if RNN_W_RANK || RNN_U_RANK
/* Sums of the inner products, which become t in place; joint, those of U before those of W, and then
 * the constant element of the bias. */
        .section .bss.rnn_products_inner, "aw", %nobits
        .balign 4
        .type   rnn_products_inner, %object
rnn_products_inner:
        .space  4 * (INNER + RNN_BIAS_COLUMN + RNN_SUM_PAD)
        .size   rnn_products_inner, . - rnn_products_inner
#endif

/* acc (r2) = M v (r1), or += */
        .macro  product storage, vector, matrix, rows, cols, adds
        .ifc    \storage, block
        product_block \matrix, \rows, \cols, \adds
        .else
        .ifc    \storage, pairs
        .ifc    \vector, s16
        product_pairs \matrix, ldrsh, \adds
        .else
        product_pairs \matrix, ldr, \adds
        .endif
        .else
        .ifc    \storage, bitmap
        .ifc    \vector, s16
        product_bitmap \matrix, 2, \rows, \cols, \adds
        .else
        product_bitmap \matrix, 4, \rows, \cols, \adds
        .endif
        .else
        .ifc    \storage, code
        bl      \matrix
        .else
        movs    r0, #\adds
        push    {r0, r1}
        ldr     r0, =\cols
        str     r0, [sp]
        movs    r0, #\adds
        str     r0, [sp, #4]
        ldr     r0, =\matrix
        ldr     r3, =\rows
        bl      rnn_matvec_\storage\()_s8_\vector
        add     sp, #8
        b       over\@
        .pool
over\@:
        .endif
        .endif
        .endif
        .endif
        .endm

/* t = sat16(rshift(\value, mid)) * 2^align; r5 = 0, r7 is lost. */
        .macro  narrow1 value, mid, align, id
        .if     \mid
        asrs    \value, \value, #\mid
        adcs    \value, r5              /* the last bit that went out rounds */
        .endif
        clamp   \value, r7, 16, \id
        .if     \align
        lsls    \value, \value, #\align
        .endif
        .endm

/* The same for \count sums in place, from r1 on, four at a time. Clamps are counted in `mid`. */
        .macro  narrow count, mid, align
        movs    r5, #0
        .if     \count >= 4
        movs    r4, #\count / 4
1:      ldm     r1!, {r0, r2, r3, r6}
        subs    r1, #16
        narrow1 r0, \mid, \align, a\@
        narrow1 r2, \mid, \align, b\@
        narrow1 r3, \mid, \align, c\@
        narrow1 r6, \mid, \align, d\@
        stm     r1!, {r0, r2, r3, r6}
        .if     \count >= 8
        subs    r4, #1
        bne     1b
        .endif
        .endif
        .if     \count % 4
        .irpc   i, 012
        .if     \i < \count % 4
        ldr     r0, [r1]
        narrow1 r0, \mid, \align, t\@\i
        stm     r1!, {r0}
        .endif
        .endr
        .endif
        b       done\@
        .pool
        .if     \count >= 4
        rare_clamp_kept r0, r7, r4, 16, RNN_COUNTERS_MID, a\@
        rare_clamp_kept r2, r7, r4, 16, RNN_COUNTERS_MID, b\@
        rare_clamp_kept r3, r7, r4, 16, RNN_COUNTERS_MID, c\@
        rare_clamp_kept r6, r7, r4, 16, RNN_COUNTERS_MID, d\@
        .endif
        .irpc   i, 012
        .if     \i < \count % 4
        rare_clamp r0, r7, r4, 16, RNN_COUNTERS_MID, t\@\i
        .endif
        .endr
        .pool
done\@:
        .endm

/* A body is a function that loses every register but sp, for callers in assembly. */
        .macro  enter
        push    {r0, lr}
        sub     sp, #FRAME
        .endm

        .equ    ACC_ARG, FRAME

        .macro  leave
        add     sp, #FRAME + 4
        pop     {pc}
        .pool
        .endm

/* \name, for C: its body with the registers saved around it. */
        .macro  for_c name
        function \name
        save
        bl      \name\()_body
        restore
        .size   \name, . - \name
        .endm

/* void rnn_vectors_reset(void) */
        function rnn_vectors_reset
        ldr     r0, =rnn_vectors
        movs    r1, #0
        ldr     r2, =(VECTORS_BYTES + 3) / 4
1:      stm     r0!, {r1}
        subs    r2, #1
        bne     1b
#if RNN_ONE_IN_X
        ldr     r0, =rnn_vectors
        ldr     r1, =1 << RNN_B_ALIGN
        ldr     r2, =VECTORS_BYTES - H_BYTES
        .if     H_BYTES == 2
        strh    r1, [r0, r2]
        .else
        str     r1, [r0, r2]
        .endif
#endif
        bx      lr
        .pool
        .size   rnn_vectors_reset, . - rnn_vectors_reset

#if RNN_JOINT

        function rnn_products_body
        enter
#if RNN_U_RANK
        ldr     r1, =rnn_vectors
        ldr     r2, =rnn_products_inner
        product RNN_U2T_STORAGE, RNN_U2T_VECTOR, RNN_U2T_DATA, RNN_U_RANK, RNN_HIDDEN, 0
        ldr     r1, =rnn_vectors + X_PLACE
        ldr     r2, =rnn_products_inner + 4 * RNN_U_RANK
        product RNN_W2T_STORAGE, RNN_W2T_VECTOR, RNN_W2T_DATA, RNN_W_RANK, RNN_INPUTS, 0
        ldr     r1, =rnn_products_inner
        narrow  RNN_U_RANK, RNN_U_MID, RNN_U_ALIGN
        narrow  RNN_W_RANK, RNN_W_MID, RNN_W_ALIGN
#if RNN_BIAS_COLUMN
        ldr     r0, =1 << RNN_B_ALIGN
        str     r0, [r1]
#endif
        ldr     r1, =rnn_products_inner
        ldr     r2, [sp, #ACC_ARG]
        product RNN_U1W1_STORAGE, RNN_U1W1_VECTOR, RNN_U1W1_DATA, RNN_ROWS, JOINT_COLS, 0
#else
        ldr     r1, =rnn_vectors
        ldr     r2, [sp, #ACC_ARG]
        product RNN_UW_STORAGE, RNN_UW_VECTOR, RNN_UW_DATA, RNN_ROWS, JOINT_COLS, 0
#endif
        leave
        .size   rnn_products_body, . - rnn_products_body

#else

        .macro  product_w adds
#if RNN_W_RANK
        ldr     r1, =rnn_vectors + X_PLACE
        ldr     r2, =rnn_products_inner
        product RNN_W2T_STORAGE, RNN_W2T_VECTOR, RNN_W2T_DATA, RNN_W_RANK, RNN_INPUTS, 0
        ldr     r1, =rnn_products_inner
        narrow  RNN_W_RANK, RNN_W_MID, 0
        ldr     r1, =rnn_products_inner
        ldr     r2, [sp, #ACC_ARG]
        product RNN_W1_STORAGE, RNN_W1_VECTOR, RNN_W1_DATA, RNN_ROWS, RNN_W_RANK, \adds
#else
        ldr     r1, =rnn_vectors + X_PLACE
        ldr     r2, [sp, #ACC_ARG]
        product RNN_W_STORAGE, RNN_W_VECTOR, RNN_W_DATA, RNN_ROWS, RNN_INPUTS, \adds
#endif
        .endm

        .macro  product_u adds
#if RNN_U_RANK
        ldr     r1, =rnn_vectors
        ldr     r2, =rnn_products_inner
        product RNN_U2T_STORAGE, RNN_U2T_VECTOR, RNN_U2T_DATA, RNN_U_RANK, RNN_HIDDEN, 0
        ldr     r1, =rnn_products_inner
        narrow  RNN_U_RANK, RNN_U_MID, 0
        ldr     r1, =rnn_products_inner
        ldr     r2, [sp, #ACC_ARG]
        product RNN_U1_STORAGE, RNN_U1_VECTOR, RNN_U1_DATA, RNN_ROWS, RNN_U_RANK, \adds
#elif RNN_RECURRENT
        ldr     r1, =rnn_vectors
        ldr     r2, [sp, #ACC_ARG]
        product RNN_U_STORAGE, RNN_U_VECTOR, RNN_U_DATA, RNN_ROWS, RNN_HIDDEN, \adds
#endif
        .endm

/* The first side's sums to the scale of the other. */
        .macro  align_first
#if RNN_FIRST_ALIGN
        ldr     r1, [sp, #ACC_ARG]
        ldr     r4, =RNN_ROWS
1:      ldr     r0, [r1]
        lsls    r0, r0, #RNN_FIRST_ALIGN
        stm     r1!, {r0}
        subs    r4, #1
        bne     1b
#endif
        .endm

        .macro  first
#if RNN_W_FIRST
        product_w 0
#else
        product_u 0
#endif
        align_first
        .endm

        .macro  second
#if RNN_W_FIRST
        product_u 1
#else
        product_w 1
#endif
        .endm

        function rnn_product_first_body
        enter
        first
        leave
        .size   rnn_product_first_body, . - rnn_product_first_body

        function rnn_product_second_body
        enter
        second
        leave
        .size   rnn_product_second_body, . - rnn_product_second_body

        function rnn_products_body
        push    {r0, lr}
        bl      rnn_product_first_body
        ldr     r0, [sp]
        bl      rnn_product_second_body
        add     sp, #4
        pop     {pc}
        .size   rnn_products_body, . - rnn_products_body

        for_c   rnn_product_first
        for_c   rnn_product_second

#endif

        for_c   rnn_products
