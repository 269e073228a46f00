/* SPDX-License-Identifier: MIT
 *
 * rnn_cell_gru.S -- GRU on ARMv6-M; what it computes, and in which order: cells/rnn_cell_gru.c. */
#include "model_data.h"
#include "rnn_counters.h"
#include "rnn_products.h"
#include "rnn_units.inc"

#define N_ROWS (2 * RNN_HIDDEN)
#if RNN_W_FIRST
#define FIRST_BIAS rnn_model_b + N_ROWS
#define SECOND_BIAS rnn_model_b_hn
#else
#define FIRST_BIAS rnn_model_b_hn
#define SECOND_BIAS rnn_model_b + N_ROWS
#endif

        words   acc, RNN_ROWS + RNN_SUM_PAD
        words   term, RNN_HIDDEN

/* A candidate's term: sat16(rshift(\sum + \bias, mid)). The bias is lost. */
        .macro  narrow_term sum, bias, id
        .if     RNN_COMMON_ALIGN
        lsls    \sum, \sum, #RNN_COMMON_ALIGN
        .endif
        .if     RNN_B_ALIGN
        lsls    \bias, \bias, #RNN_B_ALIGN
        .endif
        adds    \sum, \bias
        .if     RNN_MID_SHIFT
        movs    \bias, #0
        asrs    \sum, \sum, #RNN_MID_SHIFT
        adcs    \sum, \bias             /* the last bit that went out rounds */
        .endif
        clamp   \sum, \bias, 16, \id
        .endm

        function rnn_cell_step
        save
        ldr     r0, =acc
        bl      rnn_product_first_body

        /* The first side's terms; their rows are cleared for the other side. */
        ldr     r0, =acc + 4 * N_ROWS
        ldr     r1, =acc + 4 * N_ROWS + 4 * RNN_HIDDEN
        mov     r8, r1
        ldr     r6, =FIRST_BIAS
        ldr     r7, =term
        movs    r5, #0
        movs    r4, #0
first:
        ldr     r1, [r0]
        ldrsb   r2, [r6, r5]
        narrow_term r1, r2, first
        stm     r7!, {r1}
        stm     r0!, {r4}
        adds    r5, #1
        cmp     r0, r8
        bne     first
        b       second
        rare_clamp r1, r2, r3, 16, RNN_COUNTERS_MID, first
        .pool

second:
        ldr     r0, =acc
        bl      rnn_product_second_body
        ldr     r6, =rnn_table_z + 128
        ldr     r7, =rnn_vectors
        ldr     r1, =rnn_table_c + 256
        mov     r8, r1
        ldr     r1, =rnn_table_g + 128
        mov     r9, r1
        ldr     r1, =term
        mov     r10, r1
        first_unit

/* r0 = acc, r6 = the middle of table z, r7 = h, r8 = the middle of table c, r9 = that of g, r10 =
 * term, r12 = unit. */
units:
        ldr     r5, =4 * N_ROWS
        ldr     r3, [r0, r5]
        ldr     r5, =SECOND_BIAS
        add     r5, r12
        ldrb    r5, [r5]
        sxtb    r5, r5
        narrow_term r3, r5, second
        preactivations r1, r2
        index   r4, r1, RNN_Z_SHIFT, r
        ldrb    r1, [r6, r4]
        mov     r5, r10
        ldm     r5!, {r4}
        mov     r10, r5
#if RNN_W_FIRST
        muls    r1, r3
        adds    r1, #128
        asrs    r1, r1, #8
        adds    r1, r4
#else
        muls    r1, r4
        adds    r1, #128
        asrs    r1, r1, #8
        adds    r1, r3
#endif
        index   r4, r1, RNN_C_SHIFT, c
        lsls    r4, r4, #1
        mov     r5, r8
        ldrsh   r3, [r5, r4]
        index   r4, r2, RNN_Z_SHIFT, z
        mov     r5, r9
        ldrb    r5, [r5, r4]
        muls    r5, r3
        ldrb    r4, [r6, r4]
        load_h  r3, r7
        muls    r4, r3
        adds    r4, r5
        adds    r4, #128
        asrs    r4, r4, #8
        clamp   r4, r5, RNN_STATE_BITS, h
        store_h r4, r7
        next_unit
        units_left
        beq     done
        b       units
done:
        restore
        rare_clamp r3, r5, r1, 16, RNN_COUNTERS_MID, second
        rare_index r4, r1, r
        rare_index r4, r1, c
        rare_index r4, r2, z
        rare_clamp r4, r5, r3, RNN_STATE_BITS, RNN_COUNTERS_STATE, h
        .pool
        .size   rnn_cell_step, . - rnn_cell_step

        function rnn_cell_reset
        push    {r4, lr}
        bl      rnn_vectors_reset
        pop     {r4, pc}
        .size   rnn_cell_reset, . - rnn_cell_reset
