/* SPDX-License-Identifier: MIT
 *
 * rnn_cell_ugrnn.S -- UGRNN on ARMv6-M; what it computes: cells/rnn_cell_ugrnn.c. */
#include "model_data.h"
#include "rnn_counters.h"
#include "rnn_products.h"
#include "rnn_units.inc"

        words   acc, RNN_ROWS + RNN_SUM_PAD

/* r0 = acc, r6 = the middle of table g, r7 = h, r8 = the middle of table c, r9 = that of z. */
        .macro  unit id
        preactivations r1, r2
        index   r3, r1, RNN_Z_SHIFT, z\id
        index   r4, r2, RNN_C_SHIFT, c\id
        lsls    r4, r4, #1
        mov     r5, r8
        ldrsh   r4, [r5, r4]
        ldrb    r5, [r6, r3]
        muls    r5, r4
        mov     r4, r9
        ldrb    r3, [r4, r3]
        load_h  r4, r7
        muls    r3, r4
        adds    r3, r5
        adds    r3, #128
        asrs    r3, r3, #8
        clamp   r3, r4, RNN_STATE_BITS, h\id
        store_h r3, r7
        next_unit
        .endm

        .macro  rare id
        rare_index r3, r1, z\id
        rare_index r4, r2, c\id
        rare_clamp r3, r4, r5, RNN_STATE_BITS, RNN_COUNTERS_STATE, h\id
        .endm

        function rnn_cell_step
        save
        ldr     r0, =acc
        bl      rnn_products_body
        ldr     r6, =rnn_table_g + 128
        ldr     r1, =rnn_table_c + 256
        mov     r8, r1
        ldr     r1, =rnn_table_z + 128
        mov     r9, r1
        ldr     r7, =rnn_vectors
        each_unit
        .size   rnn_cell_step, . - rnn_cell_step

        function rnn_cell_reset
        push    {r4, lr}
        bl      rnn_vectors_reset
        pop     {r4, pc}
        .size   rnn_cell_reset, . - rnn_cell_reset
