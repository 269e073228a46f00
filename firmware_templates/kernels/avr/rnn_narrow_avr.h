/* SPDX-License-Identifier: MIT
 *
 * rnn_narrow_avr.h -- assembler macros: FastGRNN's update from a sum of 16 bits in registers, and
 * rows of an index list, in a step whose sums are all proved to fit int16 (RNN_NARROW).
 *
 * A sum starts from b_z 2^b_align + 2^(7 + z): its table's index is then the sum >> z, unsigned,
 * where it is below 256. A second word is b_h - b_z with the same for the other table. The tables
 * z, g and c, each a page of bytes, follow each other. h, x and the inner values lie in one page of
 * RAM, at rnn_vectors.
 *
 * Registers, beside those of rnn_matvec_avr.h, while units are updated
 *   later_   where the second words are read: a pair's number     Y  h[j]
 *   r0 r1 r16 r17 r21 Z and the unit's own sum are scratch */
#ifndef RNN_NARROW_AVR_H
#define RNN_NARROW_AVR_H

#define X_PLACE RNN_HIDDEN
#define INNER_PLACE (RNN_HIDDEN + RNN_FEATURES)

    .macro vector_x place
    ldi XL, lo8(rnn_vectors + \place)
    ldi XH, hi8(rnn_vectors + \place)
    .endm

    .macro vector_z place
    ldi ZL, lo8(rnn_vectors + \place)
    ldi ZH, hi8(rnn_vectors + \place)
    .endm

    .macro vector_inner
    vector_x INNER_PLACE
    .endm

/* ---- an index from a sum in Z ---- */

/* ZL = ZH:ZL >> k, which is below 256; k is 1 .. 8. */
    .macro shift_narrow k
    .if \k > 5
    .rept 8 - \k
    lsl ZL
    rol ZH
    .endr
    mov ZL, ZH
    .else
    .rept \k + 4 * (\k > 3)            /* a comparison that holds is -1 */
    lsr ZH
    ror ZL
    .endr
    .if \k > 3
    swap ZL
    andi ZL, 0x0F
    swap ZH
    or ZL, ZH
    .endif
    .endif
    .endm

/* ZL = clip(ZH:ZL >> k, 0, 255) of a sum whose middle is 2^(7 + k), modulo 2^16. */
    .macro narrow_index k
    .if RNN_SUM_BITS > 8 + \k
    cpi ZH, 1 << \k
    brlo 1f
    cpi ZH, 128 + (1 << (\k - 1))      /* from here on it was below its least */
    sbc ZL, ZL
    rjmp 2f
1:
    .endif
    shift_narrow \k
2:
    .endm

/* ---- a unit ---- */

/* h[j] at Y = the next state of the block's row \row; Y goes on. */
    .macro update_unit row
    movw ZL, SUM(2 * \row)
    narrow_index RNN_Z_SHIFT
    ldi ZH, hi8(rnn_table_zgc)
    lpm r16, Z
    inc ZH
    lpm r17, Z
    movw ZL, later_
    lpm r0, Z+
    lpm r1, Z+
    movw later_, ZL
    add r0, SUM(2 * \row)
    adc r1, SUM(2 * \row + 1)
    movw ZL, r0
    narrow_index RNN_C_SHIFT
    ldi ZH, hi8(rnn_table_zgc + 512)
    lpm r21, Z
    mulsu r21, r17
    movw SUM(2 * \row), r0
    ldi r17, 0x80
    add SUM(2 * \row), r17
    adc SUM(2 * \row + 1), ZERO
    ld r21, Y
    mulsu r21, r16
    add r0, SUM(2 * \row)
    adc r1, SUM(2 * \row + 1)
    brvc 1f
    call rnn_narrow_clamped
1:  st Y+, r1
    .endm

/* All units of a block from data: Z is where the second words are, and goes past them. */
    .macro finish_units R
    .set later_, 26
    movw XL, ZL
    .set row_, 0
    .rept \R
    update_unit row_
    .set row_, row_ + 1
    .endr
    movw ZL, XL
    .endm

/* In weights as code. */
    .macro code_units
    .set later_, 18
    ldi r18, lo8(code_later)
    ldi r19, hi8(code_later)
    .endm

/* ---- index: per row its start, its count, then count times (address in the page, weight) ---- */

    .macro narrow_index_rows rows, how, k, longest
    ldi r24, \rows
    ldi XH, hi8(rnn_vectors)
row_\@:
    start_sums 2, 1, \how, \k
    lpm r16, Z+                         /* into the row, as far from its end as it is long */
    ldi r17, 6
    mul r16, r17
    ldi r18, lo8(pm(end_\@))
    ldi r19, hi8(pm(end_\@))
    sub r18, r0
    sbc r19, r1
    push r18
    push r19
    ret
    .rept \longest
    lpm XL, Z+
    ld V_LO, X
    lpm WEIGHT, Z+
    multiply_add 1, 2, 0
    .endr
end_\@:
    .if \how == UPDATE
    finish_units 1
    ldi XH, hi8(rnn_vectors)
    .else
    finish_sums 2, 1, \how, \k, 1
    .endif
    dec r24
    breq done_\@
    rjmp row_\@
done_\@:
    .endm

/* ---- a product by its form; X and Y are set ---- */

    .macro narrow_product form, matrix, place, rows, cols, longest, how, k, out
    .ifc code,\form
    vector_z \place
    call \matrix
    .else
    ldi ZL, lo8(\matrix)
    ldi ZH, hi8(\matrix)
    .endif
    .ifc dense,\form
    vector_x \place
    all_blocks \matrix, 1, 2, \rows, \cols, \how, \k, \out
    .endif
    .ifc index,\form
    narrow_index_rows \rows, \how, \k, \longest
    .endif
    .endm

#endif
