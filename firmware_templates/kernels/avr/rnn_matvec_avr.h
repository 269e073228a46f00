/* SPDX-License-Identifier: MIT
 *
 * rnn_matvec_avr.h -- assembler macros: matrix-vector products with the sums in registers.
 *
 * V is the bytes of a vector's element (1, 2), S the bytes of a sum (2, 3, 4; exact modulo
 * 2^(8 S)), R how many rows are summed at once, `a` the first byte of a row's sum among R * S.
 *
 * Registers
 *   X        next element of v               Y        where results go
 *   Z        next byte of the matrix; in generated code the elements of v
 *   WEIGHT   a weight, scratch               V_LO V_HI  an element of v
 *   COUNT    columns or weights to go        ZERO     0
 *   EXTEND   sign of a sum, scratch          SUM(i)   byte i of the sums
 *
 * Ref: AVR Instruction Set Manual, DS40002198. MUL, MULS, MULSU take 2 cycles, LPM 3, LD 2; MULS
 * and MULSU leave bit 15 of the product in the carry, so that one SBC extends its sign. */
#ifndef RNN_MATVEC_AVR_H
#define RNN_MATVEC_AVR_H

#include "rnn_products.h"

#define WEIGHT r16
#define V_LO r17
#define V_HI r18
#define COUNT r19
#define ZERO r20
#define EXTEND r21

#include "rnn_function_avr.h"

/* r2 .. r15, r22 .. r25; in generated code also r26, r27, r19. A comparison that holds is -1. */
#define SUM(i) (2 + (i) - 6 * ((i) > 13) + 9 * ((i) > 19))

/* What becomes of sums, with a shift k. */
/* Most rows of a block, by the bytes of a sum: 18 registers hold sums. harness/firmware/avr.py. */
#define BLOCK_ROWS(S) (18 / (S))

#define SET 0           /* acc[r] = sum << k */
#define ADD 1           /* acc[r] += sum */
#define MID 2           /* inner[r] = rshift(sum, k), clamped to int16 where that may be needed */
#define UPDATE 3        /* h[r] = the unit's next state: rnn_narrow_avr.h */

    .macro load_element V
    ld V_LO, X+
    .if \V == 2
    ld V_HI, X+
    .endif
    .endm

/* Sum += WEIGHT * v. */
    .macro multiply_add V, S, a
    .if \V == 2
    muls WEIGHT, V_HI
    .if \S == 4
    sbc SUM(\a + 3), ZERO
    .endif
    add SUM(\a + 1), r0
    adc SUM(\a + 2), r1
    .if \S == 4
    adc SUM(\a + 3), ZERO
    .endif
    mulsu WEIGHT, V_LO
    .else
    muls WEIGHT, V_LO
    .endif
    .if \S == 3
    sbc SUM(\a + 2), ZERO
    .elseif \S == 4
    sbc EXTEND, EXTEND
    .endif
    add SUM(\a), r0
    adc SUM(\a + 1), r1
    .if \S == 3
    adc SUM(\a + 2), ZERO
    .elseif \S == 4
    adc SUM(\a + 2), EXTEND
    adc SUM(\a + 3), EXTEND
    .endif
    .endm

/* ---- sums before the first column ---- */

    .macro set_byte i, value
    .if ((\value) & 0xFF) == 0
    clr SUM(\i)
    .elseif SUM(\i) > 15
    ldi SUM(\i), (\value) & 0xFF
    .else
    ldi WEIGHT, (\value) & 0xFF
    mov SUM(\i), WEIGHT
    .endif
    .endm

/* \value mod 2^(8 S), and MID's rounding. */
    .macro set_sum S, a, value, how, k
    .set start_, \value
    .if \how == MID && \k > 0
    .set start_, start_ + (1 << (\k - 1))
    .endif
    .set byte_, 0
    .rept \S
    set_byte (\a + byte_), (start_ >> (8 * byte_))
    .set byte_, byte_ + 1
    .endr
    .endm

/* Whether S bytes hold acc after ADD too: then it is added to in registers. */
#define HOLDS_ACC(S) ((S) == 4 || RNN_PRE_BITS - RNN_COMMON_ALIGN <= 8 * (S))

/* The acc of the block's row \row, where HOLDS_ACC. */
    .macro load_acc S, row
    .set byte_, 0
    .rept \S
    ldd SUM(\S * \row + byte_), Y + 4 * \row + byte_
    .set byte_, byte_ + 1
    .endr
    .endm

    .macro start_sums S, R, how, k
    .set row_, 0
    .rept \R
    .if \how == ADD && HOLDS_ACC(\S)
    load_acc \S, row_
    .elseif \how == UPDATE
    lpm SUM(2 * row_), Z+
    lpm SUM(2 * row_ + 1), Z+
    .else
    set_sum \S, (\S * row_), 0, \how, \k
    .endif
    .set row_, row_ + 1
    .endr
    .endm

/* ---- sums after the last column ---- */

/* acc[r] = sum << k: from byte k / 8 on the S bytes of the sum, and then its sign. */
    .macro finish_set S, a, k
    .set zeros_, (\k) / 8
    .set given_, \S + zeros_ < 4        /* is there room for the sign? */
    .if given_
    sign WEIGHT, SUM(\a + \S - 1)
    .endif
    .rept (\k) % 8
    lsl SUM(\a)
    .set byte_, 1
    .rept \S - 1
    rol SUM(\a + byte_)
    .set byte_, byte_ + 1
    .endr
    .if given_
    rol WEIGHT
    .endif
    .endr
    .set byte_, 0
    .rept 4
    .if byte_ < zeros_
    st Y+, ZERO
    .elseif byte_ - zeros_ < \S
    st Y+, SUM(\a + byte_ - zeros_)
    .else
    st Y+, WEIGHT
    .if byte_ - zeros_ == \S && byte_ < 3 && (\k) % 8
    sign WEIGHT, WEIGHT
    .endif
    .endif
    .set byte_, byte_ + 1
    .endr
    .endm

/* acc[r] += sum; or acc[r] = sum, where acc was in it from the start. */
    .macro finish_add S, a
    .if HOLDS_ACC(\S)
    finish_set \S, \a, 0
    .else
    sign WEIGHT, SUM(\a + \S - 1)
    .set byte_, 0
    .rept 4
    ld EXTEND, Y
    .if byte_ == 0
    add EXTEND, SUM(\a)
    .elseif byte_ < \S
    adc EXTEND, SUM(\a + byte_)
    .else
    adc EXTEND, WEIGHT
    .endif
    st Y+, EXTEND
    .set byte_, byte_ + 1
    .endr
    .endif
    .endm

/* The sum >> k, rounded by its start, from byte \from_ of it on. To the right by k % 8, or to the
 * left by the rest of a byte, whichever is less. */
    .macro shift_right S, a, k
    .set from_, (\k) / 8
    .set left_, 0
    .set right_, (\k) % 8
    .set wide_, 0
    .if right_ > 4 && from_ + 1 < \S
    .set left_, 8 - right_
    .set right_, 0
    .set from_, from_ + 1
    .set wide_, 1                       /* the byte after the sum's last is its sign, in EXTEND */
    sign EXTEND, SUM(\a + \S - 1)
    .endif
    .rept left_
    lsl SUM(\a + from_ - 1)
    .set byte_, from_
    .rept \S - from_
    rol SUM(\a + byte_)
    .set byte_, byte_ + 1
    .endr
    rol EXTEND
    .endr
    .rept right_
    asr SUM(\a + \S - 1)
    .set byte_, \S - 2
    .rept \S - 1 - from_
    ror SUM(\a + byte_)
    .set byte_, byte_ - 1
    .endr
    .endr
    .endm

/* inner[r], \out bytes, = rshift(sum, k), clamped to int16. */
    .macro finish_mid S, a, k, out
    .if \k >= 8 * \S                    /* a sum below half of 2^k rounds to 0 */
    .rept \out
    st Y+, ZERO
    .endr
    .else
    shift_right \S, \a, \k
    .if \out == 2 && \S - from_ == 1 && !wide_
    sign EXTEND, SUM(\a + from_)
    .endif
    .if 8 * \S - \k > 16
    clamp_mid \S, \a
    .endif
    st Y+, SUM(\a + from_)
    .if \out == 2
    .if \S - from_ == 1
    st Y+, EXTEND
    .else
    st Y+, SUM(\a + from_ + 1)
    .endif
    .endif
    .endif
    .endm

/* Bytes 2 .. of the result must be the sign of byte 1; else the clamp, which is rare, is called. */
    .macro clamp_mid S, a
    sign WEIGHT, SUM(\a + from_ + 1)
    .set byte_, from_ + 2
    .rept \S - from_ - 2
    cp WEIGHT, SUM(\a + byte_)
    brne 1f
    .set byte_, byte_ + 1
    .endr
    .if wide_
    cp WEIGHT, EXTEND
    brne 1f
    .endif
    rjmp 2f
1:  .if wide_
    mov WEIGHT, EXTEND
    .else
    mov WEIGHT, SUM(\a + \S - 1)
    .endif
    call rnn_mid_clamped
    mov SUM(\a + from_), EXTEND
    mov SUM(\a + from_ + 1), WEIGHT
2:
    .endm

    .macro finish_sums S, R, how, k, out
    .set row_, 0
    .rept \R
    .if \how == SET
    finish_set \S, (\S * row_), \k
    .elseif \how == ADD
    finish_add \S, (\S * row_)
    .elseif \how == UPDATE
    update_unit row_
    .else
    finish_mid \S, (\S * row_), \k, \out
    .endif
    .set row_, row_ + 1
    .endr
    .endm

/* ---- dense: blocks of R rows, column after column ---- */

/* X = the start of v, from its end. */
    .macro back_to_start V, cols, how
    .if \how == UPDATE
    vector_inner
    .else
    subi XL, lo8(\cols * \V)
    sbci XH, hi8(\cols * \V)
    .endif
    .endm

    .macro blocks end, V, S, R, cols, how, k, out
block_\@:
    start_sums \S, \R, \how, \k
    .set unroll_, 1
    .if RNN_NARROW && (\cols) % 2 == 0
    .set unroll_, 2
    .endif
    ldi COUNT, ((\cols) / unroll_) & 0xFF
    .if \cols > 256
    .if \V == 2
    .error "more than 256 elements of 2 bytes do not fit the RAM"
    .endif
    ldi V_HI, (\cols + 255) / 256
    .endif
column_\@:
    .rept unroll_
    load_element \V
    .set row_, 0
    .rept \R
    lpm WEIGHT, Z+
    multiply_add \V, \S, (\S * row_)
    .set row_, row_ + 1
    .endr
    .endr
    dec COUNT
    .if unroll_ == 1
    brne column_\@
    .else                               /* too far for a branch */
    breq summed_\@
    rjmp column_\@
summed_\@:
    .endif
    .if \cols > 256
    dec V_HI
    brne column_\@
    .endif
    .if \how == UPDATE
    finish_units \R
    .else
    finish_sums \S, \R, \how, \k, \out
    .endif
    ldi WEIGHT, hi8(\end)
    cpi ZL, lo8(\end)
    cpc ZH, WEIGHT
    breq done_\@
    back_to_start \V, \cols, \how
    rjmp block_\@
done_\@:
    .endm

/* Blocks of R rows and then of R - 1, R the least that needs no more blocks. */
    .macro all_blocks matrix, V, S, rows, cols, how, k, out
    .set most_, BLOCK_ROWS(\S)
    .set count_, (\rows + most_ - 1) / most_
    .set R_, (\rows + count_ - 1) / count_
    .set short_, count_ * R_ - \rows
    .set line_, \cols - 4 * (\how == UPDATE)   /* bytes of a row; a comparison that holds is -1 */
    .set end_, (count_ - short_) * R_ * line_
    blocks (\matrix + end_), \V, \S, R_, \cols, \how, \k, \out
    .if short_
    back_to_start \V, \cols, \how
    .set R_, R_ - 1
    .set end_, \rows * line_
    blocks (\matrix + end_), \V, \S, R_, \cols, \how, \k, \out
    .endif
    .endm

/* ---- index: per row its count, then count times (bytes of v to skip, weight) ---- */

#define BITS r6
#define BASE_LO r8              /* start of v */
#define BASE_HI r9
#define RESULT_LO r10
#define RESULT_HI r11
#define ROWS_LO r24             /* rows to go */
#define ROWS_HI r25

    .macro skip_and_add V, S
    lpm WEIGHT, Z+
    add XL, WEIGHT
    adc XH, ZERO
    load_element \V
    lpm WEIGHT, Z+
    multiply_add \V, \S, 0
    .endm

    .macro index V, S, rows, how, k, out
    movw BASE_LO, XL
    ldi ROWS_LO, lo8(\rows)
    ldi ROWS_HI, hi8(\rows)
row_\@:
    start_sums \S, 1, \how, \k
    movw XL, BASE_LO
    lpm COUNT, Z+
    lsr COUNT                           /* two at a time; an odd count starts with the second */
    brcc even_\@
    inc COUNT
    rjmp second_\@
even_\@:
    breq finish_\@
first_\@:
    skip_and_add \V, \S
second_\@:
    skip_and_add \V, \S
    dec COUNT
    brne first_\@
finish_\@:
    finish_sums \S, 1, \how, \k, \out
    sbiw ROWS_LO, 1
    breq done_\@
    rjmp row_\@
done_\@:
    .endm

/* ---- bitmap: per row and eight columns a byte of bits, then the weights of those set ---- */

    .macro bitmap V, S, rows, cols, how, k, out
    movw BASE_LO, XL
    ldi ROWS_LO, lo8(\rows)
    ldi ROWS_HI, hi8(\rows)
row_\@:
    start_sums \S, 1, \how, \k
    movw RESULT_LO, YL
    movw YL, BASE_LO
    ldi COUNT, (\cols + 7) / 8
eight_\@:
    lpm BITS, Z+
    .set column_, 0
    .rept 8
    sbrs BITS, column_
    rjmp 1f
    ldd V_LO, Y + \V * column_
    .if \V == 2
    ldd V_HI, Y + 2 * column_ + 1
    .endif
    lpm WEIGHT, Z+
    multiply_add \V, \S, 0
1:
    .set column_, column_ + 1
    .endr
    adiw YL, 8 * \V
    dec COUNT
    breq finish_\@
    rjmp eight_\@
finish_\@:
    movw YL, RESULT_LO
    finish_sums \S, 1, \how, \k, \out
    sbiw ROWS_LO, 1
    breq done_\@
    rjmp row_\@
done_\@:
    .endm

/* ---- code: made from the weights, by harness/firmware/avr_code.py ---- */

/* A row's sum at the beginning: \value mod 2^(8 S), and what acc or MID's rounding put there. */
    .macro code_start S, row, value, how, k, out
    .if \how == ADD && HOLDS_ACC(\S)
    load_acc \S, \row
    .if (\value) & ((1 << (8 * \S)) - 1)
    .set byte_, 0
    .rept \S
    ldi WEIGHT, ((\value) >> (8 * byte_)) & 0xFF
    .if byte_
    adc SUM(\S * \row + byte_), WEIGHT
    .else
    add SUM(\S * \row), WEIGHT
    .endif
    .set byte_, byte_ + 1
    .endr
    .endif
    .else
    set_sum \S, (\S * \row), (\value), \how, \k
    .endif
    .endm

    .macro code_move bytes
    .if \bytes > 0 && \bytes < 64
    adiw ZL, \bytes
    .elseif \bytes < 0 && \bytes > -64
    sbiw ZL, -(\bytes)
    .else
    subi ZL, lo8(-(\bytes))
    sbci ZH, hi8(-(\bytes))
    .endif
    .endm

/* An element of v as v + 2^(8 V - 1), unsigned; the sums' start takes that back. */
    .macro code_element V, offset
    ldd V_LO, Z + \offset
    .if \V == 2
    ldd V_HI, Z + \offset + 1
    subi V_HI, 0x80
    .else
    subi V_LO, 0x80
    .endif
    .endm

/* Sum += or -= v, for weights 1 and -1: \first is add or sub, \next adc or sbc. */
    .macro code_one V, S, a, first, next
    \first SUM(\a), V_LO
    .if \V == 2
    \next SUM(\a + 1), V_HI
    .endif
    .set byte_, \V
    .rept \S - \V
    \next SUM(\a + byte_), ZERO
    .set byte_, byte_ + 1
    .endr
    .endm

/* Sum += or -= WEIGHT * v, WEIGHT unsigned; for 1-byte elements r1:r0 holds the product. */
    .macro code_product V, S, a, first, next
    .if \V == 2
    mul WEIGHT, V_LO
    .endif
    \first SUM(\a), r0
    \next SUM(\a + 1), r1
    .set byte_, 2
    .rept \S - 2
    \next SUM(\a + byte_), ZERO
    .set byte_, byte_ + 1
    .endr
    .if \V == 2
    mul WEIGHT, V_HI
    \first SUM(\a + 1), r0
    \next SUM(\a + 2), r1
    .if \S == 4
    \next SUM(\a + 3), ZERO
    .endif
    .endif
    .endm

/* WEIGHT = |w|, and for 1-byte elements the product. */
    .macro code_weight V, w
    ldi WEIGHT, \w
    .if \V == 1
    mul WEIGHT, V_LO
    .endif
    .endm

/* ---- a product by its form ---- */

/* \matrix is its data; for code the function made from it, which knows \how, \k and \out. */
    .macro matvec form, V, S, matrix, rows, cols, how, k, out
    .ifc code,\form
    movw ZL, XL
    call \matrix
    .else
    ldi ZL, lo8(\matrix)
    ldi ZH, hi8(\matrix)
    .endif
    .ifc dense,\form
    all_blocks \matrix, \V, \S, \rows, \cols, \how, \k, \out
    .endif
    .ifc index,\form
    index \V, \S, \rows, \how, \k, \out
    .endif
    .ifc bitmap,\form
    bitmap \V, \S, \rows, \cols, \how, \k, \out
    .endif
    .endm

#endif
