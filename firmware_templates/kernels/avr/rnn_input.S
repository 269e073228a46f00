/* SPDX-License-Identifier: MIT
 *
 * rnn_input.S -- the input stage on an AVR. Contract: rnn_input.h, rnn_compand_s16.h and
 * rnn_standardise_s16_s8.h. */
#include "model_data.h"
#include "rnn_update_avr.h"

#define MULTIPLIER r2
#define OFFSET r4
#define FLAG r8
#define V_LO r16
#define V_HI r17
#define OCTAVE r18

#include "rnn_compand_avr.h"

/* The product and its sign: r10 .. r14. */
#define PRODUCT(i) (10 + (i))

#if RNN_INPUTS != RNN_FEATURES
#define NEWEST (RNN_INPUTS - RNN_FEATURES)
#else
#define NEWEST 0
#endif
#define X_OFFSET (RNN_HIDDEN * RNN_STATE_BITS / 8 + NEWEST)

    .macro pointer to, address
    ldi r24, lo8(\address)
    ldi r25, hi8(\address)
    movw \to, r24
    .endm

/* PRODUCT(from_) .. PRODUCT(last_) = PRODUCT >> k, bytes below are not kept. */
    .macro shift_product k
    .set from_, (\k) / 8
    .set last_, 3
    .if (\k) % 8 > 4
    .set last_, 4
    sign PRODUCT(4), PRODUCT(3)
    .rept 8 - (\k) % 8
    lsl PRODUCT(from_)
    .set byte_, from_ + 1
    .rept last_ - from_
    rol PRODUCT(byte_)
    .set byte_, byte_ + 1
    .endr
    .endr
    .set from_, from_ + 1
    .else
    .rept (\k) % 8
    asr PRODUCT(3)
    .set byte_, 2
    .rept 3 - from_
    ror PRODUCT(byte_)
    .set byte_, byte_ - 1
    .endr
    .endr
    .endif
    .endm

/* void rnn_input(const int16_t *raw) */
    enter rnn_input
    movw XL, r24
    clr ZERO
    ldi YL, lo8(rnn_vectors + X_OFFSET)
    ldi YH, hi8(rnn_vectors + X_OFFSET)
    pointer MULTIPLIER, rnn_table_pre_multiplier
    pointer OFFSET, rnn_table_pre_offset
    pointer FLAG, rnn_table_pre_companded
channel:
    ld V_LO, X+
    ld V_HI, X+
#if RNN_COMPANDED
    movw ZL, FLAG
    lpm r18, Z+
    movw FLAG, ZL
    tst r18
    breq standardise
    compand
standardise:
#endif
    movw ZL, MULTIPLIER
    lpm r18, Z+
    lpm r19, Z+
    movw MULTIPLIER, ZL
    word_product r13, r12, r11, r10, r17, r16, r19, r18
    movw ZL, OFFSET
    lpm r18, Z+
    add PRODUCT(0), r18
    lpm r18, Z+
    adc PRODUCT(1), r18
    lpm r18, Z+
    adc PRODUCT(2), r18
    lpm r18, Z+
    adc PRODUCT(3), r18
    movw OFFSET, ZL
    shift_product RNN_PRE_SHIFT
    sign r18, PRODUCT(from_)
    .set byte_, from_ + 1
    .rept last_ - from_
    cpse PRODUCT(byte_), r18
    rjmp clamped
    .set byte_, byte_ + 1
    .endr
store:
    st Y+, PRODUCT(from_)
    ldi r18, hi8(rnn_vectors + X_OFFSET + RNN_FEATURES)
    cpi YL, lo8(rnn_vectors + X_OFFSET + RNN_FEATURES)
    cpc YH, r18
    breq last
    rjmp channel

/* The end of int8 on the sum's side. */
clamped:
    end_of_range r18, r19, PRODUCT(last_)
    mov PRODUCT(from_), r18
    count_clamp 0
    rjmp store

last:
    leave rnn_input
