/* SPDX-License-Identifier: MIT
 *
 * rnn_input.S -- the input stage on ARMv6-M. Contract: core/rnn_input.h. */
#include "model_data.h"
#include "rnn_counters.h"
#include "rnn_units.inc"

#if RNN_COMPANDED
#define AT_ONCE 1                       /* a channel is long */
#else
#define AT_ONCE 8
#endif

        .equ    X_PLACE, (RNN_HIDDEN + RNN_INPUTS - RNN_FEATURES) * H_BYTES

/* r5 = sign(r5) * table[bucket(|r5|)] of kernels/rnn_compand_s16.h, the octave found by halving the
 * range of shifts; r4, r6 and r8 are lost. */
        .macro  halve bits
        lsrs    r4, r5, #\bits + 4
        beq     2f
        lsrs    r5, r5, #\bits
        adds    r6, #16 * \bits
2:
        .endm

        .macro  compand
        asrs    r4, r5, #31
        mov     r8, r4
        eors    r5, r4
        subs    r5, r4
        lsrs    r4, r5, #15
        subs    r5, r4                  /* 32768 counts as 32767 */
        movs    r6, #0
        halve   8
        halve   4
        halve   2
        halve   1
        adds    r5, r6
        lsls    r5, r5, #1
        ldr     r4, =rnn_table_compander
        ldrsh   r5, [r4, r5]
        mov     r4, r8
        eors    r5, r4
        subs    r5, r4
        .endm

/* Channel r7 / 2; r0 = raw, r1 = multipliers, r2 = offsets, r3 = x. */
        .macro  channel id
        ldrsh   r5, [r0, r7]
#if RNN_COMPANDED
        lsrs    r6, r7, #1
        ldr     r4, =rnn_table_pre_companded
        ldrb    r4, [r4, r6]
        cmp     r4, #0
        beq     1f
        compand
1:
#endif
        ldrsh   r4, [r1, r7]
        muls    r5, r4
        ldm     r2!, {r4}
        adds    r5, r4
        adds    r7, #2
        .if     RNN_PRE_SHIFT
        asrs    r5, r5, #RNN_PRE_SHIFT
        .endif
        clamp   r5, r4, 8, \id
        .if     RNN_X_ALIGN
        lsls    r5, r5, #RNN_X_ALIGN
        .endif
        store_h r5, r3
        .endm

/* The rare clamps of the first channels lie before the function, those of the loop behind it: a
 * conditional branch reaches 254 bytes. */
        .section .text.rnn_input, "ax", %progbits
        .balign 4
        .type   rnn_input_rare, %function
rnn_input_rare:
        .irpc   id, 01234567
        .if     \id < RNN_FEATURES % AT_ONCE
        rare_clamp r5, r4, r6, 8, RNN_COUNTERS_INPUT, a\id
        .endif
        .endr
        .size   rnn_input_rare, . - rnn_input_rare

/* void rnn_input(const int16_t *raw) */
        function rnn_input
        push    {r4-r7, lr}
#if RNN_COMPANDED
        mov     r4, r8
        push    {r4}
#endif
        ldr     r1, =rnn_table_pre_multiplier
        ldr     r2, =rnn_table_pre_offset
        ldr     r3, =rnn_vectors + X_PLACE
        movs    r7, #0
        .irpc   id, 01234567
        .if     \id < RNN_FEATURES % AT_ONCE
        channel a\id
        .endif
        .endr
        .if     RNN_FEATURES >= AT_ONCE
channels:
        .irpc   id, 01234567
        .if     \id < AT_ONCE
        channel b\id
        .endif
        .endr
        .if     RNN_FEATURES >= 2 * AT_ONCE
        ldr     r6, =rnn_vectors + X_PLACE + RNN_FEATURES * H_BYTES
        cmp     r3, r6
        beq     done
        b       channels
        .endif
done:
        .endif
#if RNN_COMPANDED
        pop     {r4}
        mov     r8, r4
#endif
        pop     {r4-r7, pc}
        .irpc   id, 01234567
        .if     \id < AT_ONCE && RNN_FEATURES >= AT_ONCE
        rare_clamp r5, r4, r6, 8, RNN_COUNTERS_INPUT, b\id
        .endif
        .endr
        .pool
        .size   rnn_input, . - rnn_input
