/* SPDX-License-Identifier: MIT
 *
 * In assembly because a row's jump leads into an unrolled loop as far from its end as the row is long:
 * nothing is counted, and a row costs eight instructions beside its pairs.
 *
 * r0 = matrix, r1 = v, r2 = acc, r3 = its end, r5 = sum, r12 = mask of what is added to, lr = end of
 * the loop. */
        .syntax unified
        .thumb

        .equ    MOST_PAIRS, 32          /* MAX_PAIRS in harness/firmware/armv7m.py */
        .equ    SAVED, 4 * 5

/* r5 += both products; every instruction has four bytes. */
        .macro  pair
        ldr.w   r4, [r0], #4
        uxtb.w  r6, r4
        ldrsh.w r6, [r1, r6, lsl #1]
#ifdef __ARM_FEATURE_DSP
        ubfx    r7, r4, #16, #8
        ldrsh.w r7, [r1, r7, lsl #1]
        sxtb16  r4, r4, ror #8          /* both weights */
        smlabb  r5, r4, r6, r5
        smlatb  r5, r4, r7, r5
#else
        sbfx    r7, r4, #8, #8
        mla     r5, r7, r6, r5
        ubfx    r6, r4, #16, #8
        ldrsh.w r6, [r1, r6, lsl #1]
        asr.w   r4, r4, #24
        mla     r5, r4, r6, r5
#endif
        .endm

        .section .text.rnn_matvec_pairs_s8_s16, "ax", %progbits
        .balign 4
        .global rnn_matvec_pairs_s8_s16
        .type   rnn_matvec_pairs_s8_s16, %function
rnn_matvec_pairs_s8_s16:
        push    {r4-r7, lr}
        ldrb    r12, [sp, #SAVED + 4]   /* add */
        rsb     r12, r12, #0
        add     r3, r2, r3, lsl #2
        ldr     lr, =row_end + 1
row:    ldr     r4, [r0], #4
        ldr     r5, [r2]
        and     r5, r5, r12
#ifndef __ARM_FEATURE_DSP
        add     r4, r4, r4, lsl #3      /* nine instructions, else eight */
        sub     r4, lr, r4, lsl #2
#else
        sub     r4, lr, r4, lsl #5
#endif
        bx      r4
        .rept   MOST_PAIRS
        pair
        .endr
row_end:
        str     r5, [r2], #4
        cmp     r2, r3
        bne     row
        pop     {r4-r7, pc}
        .pool
        .size   rnn_matvec_pairs_s8_s16, . - rnn_matvec_pairs_s8_s16
