/* SPDX-License-Identifier: MIT
 *
 * rnn_update_fastgrnn.S -- FastGRNN's h' for all units on an AVR. Contract:
 * rnn_update_fastgrnn.h. */
#include "model_data.h"
#include "rnn_products.h"
#include "rnn_update_avr.h"

#define BIAS_Z r2
#define BIAS_H r4

#if defined(RNN_OPTION_GATE_TANH) || defined(RNN_OPTION_WIDTH_WIDE)
#define SIGNED_GATES 1
#else
#define SIGNED_GATES 0
#endif

/* r16:r25 = (g c + z h + 128) >> 8. V is set where it passes int16, which an s8 state cannot reach.
 * z in r20, g in r21, c in r23:r22, h in r19:r18 or r19. */
    .macro mix_unsigned
    gate_product r16, r25, r24, r21, r22, r23
    subi r24, 0x80
    sbci r25, 0xFF
    sbci r16, 0xFF
#if RNN_STATE_BITS == 16
    gate_product r17, r15, r14, r20, r18, r19
#else
    gate_product_byte r17, r15, r14, r20, r19
#endif
    add r24, r14
    adc r25, r15
    adc r16, r17
    .endm

/* r12:r11:r10 = (g c + z h + 2^12) >> 13. z in r21:r20, g in r17:r16, c and h as above. */
    .macro mix_signed
    word_product r11, r10, r9, r8, r17, r16, r23, r22
    word_product r25, r24, r15, r14, r21, r20, r19, r18
    add r8, r14
    adc r9, r15
    adc r10, r24
    adc r11, r25
    sign r12, r11
    .rept 3
    lsl r8
    rol r9
    rol r10
    rol r11
    rol r12
    .endr
    lsl r9
    adc r10, ZERO
    adc r11, ZERO
    adc r12, ZERO
    .endm

    .macro store_state low, high
    st Y+, \low
#if RNN_STATE_BITS == 16
    st Y+, \high
#endif
    .endm

    least level_, RNN_B_ALIGN, RNN_Z_SHIFT
    least level_, level_, RNN_C_SHIFT
    plan_level RNN_PRE_BITS, level_

/* void rnn_update_fastgrnn(int32_t *acc) */
    enter rnn_update_fastgrnn
    movw XL, r24
    clr ZERO
    ldi YL, lo8(rnn_vectors)
    ldi YH, hi8(rnn_vectors)
    ldi r24, lo8(rnn_model_b_z)
    ldi r25, hi8(rnn_model_b_z)
    movw BIAS_Z, r24
    ldi r24, lo8(rnn_model_b_h)
    ldi r25, hi8(rnn_model_b_h)
    movw BIAS_H, r24

unit:
    load_level RNN_COMMON_ALIGN
    next_bias BIAS_Z
    index_of RNN_B_ALIGN, RNN_Z_SHIFT
#if SIGNED_GATES
    look_up_word r22, r23, rnn_table_z
    movw r14, r22
    look_up_word r22, r23, rnn_table_g
    push r22
    push r23
#else
    look_up_byte r22, rnn_table_z
    look_up_byte r23, rnn_table_g
    movw r14, r22
#endif
    next_bias BIAS_H
    index_of RNN_B_ALIGN, RNN_C_SHIFT
    look_up_word r22, r23, rnn_table_c
#if RNN_STATE_BITS == 16
    ldd r18, Y + 0
    ldd r19, Y + 1
#else
    ld r19, Y
#if SIGNED_GATES
    mov r18, r19
    sign r19, r18
#endif
#endif
    movw r20, r14
#if SIGNED_GATES
    pop r17
    pop r16
    mix_signed
#if RNN_STATE_BITS == 16
    sign r24, r11
    cpse r12, r24
    rjmp clamped
    store_state r10, r11
#else
    sign r24, r10
    cpse r11, r24
    rjmp clamped
    cpse r12, r24
    rjmp clamped
    store_state r10
#endif
#else
    mix_unsigned
#if RNN_STATE_BITS == 16
    brvs clamped
    store_state r25, r16
#else
    sign r24, r25
    cpse r16, r24
    rjmp clamped
    store_state r25
#endif
#endif
next:
    ldi r24, hi8(rnn_vectors + RNN_HIDDEN * RNN_STATE_BITS / 8)
    cpi YL, lo8(rnn_vectors + RNN_HIDDEN * RNN_STATE_BITS / 8)
    cpc YH, r24
    breq last
    rjmp unit
/* The end of the range on the side of the sum's sign, which has turned where the sum overflowed. */
clamped:
#if SIGNED_GATES
    mov r24, r12
#else
    mov r24, r16
#if RNN_STATE_BITS == 16
    com r24
#endif
#endif
    end_of_range r24, r25, r24
#if RNN_STATE_BITS == 16
    store_state r25, r24
#else
    store_state r24
#endif
    count_clamp 8
    rjmp next

last:
    leave rnn_update_fastgrnn
