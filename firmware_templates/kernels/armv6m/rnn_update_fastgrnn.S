/* SPDX-License-Identifier: MIT
 *
 * rnn_update_fastgrnn.S -- FastGRNN's update on ARMv6-M. Contract: cells/rnn_update_fastgrnn.h, but
 * that every register is lost: rnn_cell_fastgrnn.S saves them.
 *
 * Where the build spends bytes for speed (RNN_WIDE_BIAS), both biases of a unit are two words side by
 * side, at the scale of the sums. */
#include "model_data.h"
#include "rnn_counters.h"
#include "rnn_products.h"
#include "rnn_units.inc"

#if defined(RNN_OPTION_GATE_TANH) || defined(RNN_OPTION_WIDTH_WIDE)
#define WIDE 1
#define MIX_SHIFT 13
#else
#define WIDE 0
#define MIX_SHIFT 8
#endif

#if RNN_HIDDEN % 4 == 0 && RNN_WIDE_BIAS && !WIDE
#define AT_ONCE 4
#elif RNN_HIDDEN % 2 == 0
#define AT_ONCE 2
#else
#define AT_ONCE 1
#endif

/* r0 = acc, r7 = h, r4 = the middle of table g, r5 = that of c, r8 = that of z, r9 = end of h.
 * RNN_WIDE_BIAS: r6 = biases; else r6 = unit, r10 = b_z, r11 = b_h. */
        .macro  unit id
        ldm     r0!, {r1}
        .if     RNN_COMMON_ALIGN
        lsls    r1, r1, #RNN_COMMON_ALIGN
        .endif
        .if     RNN_WIDE_BIAS
        ldm     r6!, {r2, r3}
        .else
        mov     r3, r10
        ldrsb   r2, [r3, r6]
        mov     r3, r11
        ldrsb   r3, [r3, r6]
        adds    r6, #1
        .if     RNN_B_ALIGN
        lsls    r2, r2, #RNN_B_ALIGN
        lsls    r3, r3, #RNN_B_ALIGN
        .endif
        .endif
        adds    r2, r1
        adds    r3, r1
        index   r1, r2, RNN_Z_SHIFT, z\id
        index   r2, r3, RNN_C_SHIFT, c\id
        lsls    r2, r2, #1
        ldrsh   r2, [r5, r2]            /* c */
        .if     WIDE
        lsls    r1, r1, #1
        ldrsh   r3, [r4, r1]            /* g */
        muls    r3, r2
        mov     r2, r8
        ldrsh   r1, [r2, r1]            /* z */
        .else
        ldrb    r3, [r4, r1]
        muls    r3, r2
        mov     r2, r8
        ldrb    r1, [r2, r1]
        .endif
        load_h  r2, r7
        muls    r1, r2
        adds    r1, r3
        .if     WIDE
        movs    r2, #0
        asrs    r1, r1, #MIX_SHIFT
        adcs    r1, r2                  /* the last bit that went out rounds */
        .else
        adds    r1, #1 << (MIX_SHIFT - 1)
        asrs    r1, r1, #MIX_SHIFT
        .endif
        clamp   r1, r2, RNN_STATE_BITS, h\id
        store_h r1, r7
        .endm

        .macro  rare id
        rare_index r1, r2, z\id
        rare_index r2, r3, c\id
        rare_clamp r1, r2, r3, RNN_STATE_BITS, RNN_COUNTERS_STATE, h\id
        .endm

        function rnn_update_fastgrnn
        ldr     r7, =rnn_vectors
        ldr     r1, =rnn_vectors + RNN_HIDDEN * H_BYTES
        mov     r9, r1
        ldr     r4, =rnn_table_g + (128 << WIDE)
        ldr     r5, =rnn_table_c + 256
        ldr     r1, =rnn_table_z + (128 << WIDE)
        mov     r8, r1
        .if     RNN_WIDE_BIAS
        ldr     r6, =rnn_model_b_zh
        .else
        ldr     r1, =rnn_model_b_z
        mov     r10, r1
        ldr     r1, =rnn_model_b_h
        mov     r11, r1
        movs    r6, #0
        .endif
units:
        .irpc   id, 0123
        .if     \id < AT_ONCE
        unit    \id
        .endif
        .endr
        cmp     r7, r9
        bne     units
        bx      lr
        .irpc   id, 0123
        .if     \id < AT_ONCE
        rare    \id
        .endif
        .endr
        .pool
        .size   rnn_update_fastgrnn, . - rnn_update_fastgrnn
