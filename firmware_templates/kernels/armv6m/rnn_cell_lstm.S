/* SPDX-License-Identifier: MIT
 *
 * rnn_cell_lstm.S -- LSTM on ARMv6-M; what it computes: cells/rnn_cell_lstm.c. */
#include "model_data.h"
#include "rnn_counters.h"
#include "rnn_products.h"
#include "rnn_units.inc"

        words   acc, RNN_ROWS + RNN_SUM_PAD
        words   cell, RNN_HIDDEN

/* r0 = acc, r6 = the middle of table z, r7 = h, r8 = the middle of table c, r9 = that of tc, r10 =
 * cell. */
        .macro  unit id
        preactivations r1, r2, r3, r4
        index   r5, r1, RNN_Z_SHIFT, i\id
        ldrb    r1, [r6, r5]
        index   r5, r2, RNN_Z_SHIFT, f\id
        ldrb    r2, [r6, r5]
        index   r5, r4, RNN_Z_SHIFT, o\id
        ldrb    r4, [r6, r5]
        index   r5, r3, RNN_C_SHIFT, g\id
        lsls    r5, r5, #1
        mov     r3, r8
        ldrsh   r3, [r3, r5]
        muls    r1, r3
        mov     r3, r10
        ldr     r5, [r3]
        muls    r2, r5
        adds    r1, r2
        adds    r1, #128
        asrs    r1, r1, #8
        clamp   r1, r5, 16, c\id
        stm     r3!, {r1}
        mov     r10, r3
        index   r5, r1, RNN_TC_SHIFT, t\id
        lsls    r5, r5, #1
        mov     r2, r9
        ldrsh   r5, [r2, r5]
        muls    r4, r5
        adds    r4, #128
        asrs    r4, r4, #8
        .if     RNN_STATE_BITS == 8     /* within 16 bits always */
        clamp   r4, r5, 8, h\id
        .endif
        store_h r4, r7
        next_unit
        .endm

        .macro  rare id
        rare_index r5, r1, i\id
        rare_index r5, r2, f\id
        rare_index r5, r4, o\id
        rare_index r5, r3, g\id
        rare_clamp r1, r5, r2, 16, RNN_COUNTERS_STATE, c\id
        rare_index r5, r1, t\id
        .if     RNN_STATE_BITS == 8
        rare_clamp r4, r5, r2, 8, RNN_COUNTERS_STATE, h\id
        .endif
        .endm

        function rnn_cell_step
        save
        ldr     r0, =acc
        bl      rnn_products_body
        ldr     r6, =rnn_table_z + 128
        ldr     r1, =rnn_table_c + 256
        mov     r8, r1
        ldr     r1, =rnn_table_tc + 256
        mov     r9, r1
        ldr     r1, =cell
        mov     r10, r1
        ldr     r7, =rnn_vectors
        each_unit
        .size   rnn_cell_step, . - rnn_cell_step

        function rnn_cell_reset
        push    {r4, lr}
        bl      rnn_vectors_reset
        clear_words cell, RNN_HIDDEN
        pop     {r4, pc}
        .pool
        .size   rnn_cell_reset, . - rnn_cell_reset
