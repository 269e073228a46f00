/* SPDX-License-Identifier: MIT
 *
 * rnn_cell_fastgrnn.S -- FastGRNN on ARMv6-M; what it computes: cells/rnn_cell_fastgrnn.c. */
#include "model_data.h"
#include "rnn_units.inc"

        words   acc, RNN_ROWS + RNN_SUM_PAD

        function rnn_cell_step
        save
        ldr     r0, =acc
        bl      rnn_products_body
        ldr     r0, =acc
        bl      rnn_update_fastgrnn
        restore
        .pool
        .size   rnn_cell_step, . - rnn_cell_step

        function rnn_cell_reset
        push    {r4, lr}
        bl      rnn_vectors_reset
        pop     {r4, pc}
        .size   rnn_cell_reset, . - rnn_cell_reset
