/* SPDX-License-Identifier: MIT
 *
 * rnn_update_avr.h -- assembler macros for what follows the products: index, tables, gated update.
 *
 * Registers
 *   X  acc                 Y  h                   Z  flash
 *   ZERO  0                LEVEL(i)  pre-activation without bias      AT(i)  scratch, an index
 *
 * The level is a >> m, m the least of the bias's alignment k and the tables' shifts s: nothing
 * below matters, as (a + b 2^k) >> s = ((a >> m) + b 2^(k - m)) >> (s - m). How many bytes it
 * takes is proved per model (RNN_PRE_BITS). */
#ifndef RNN_UPDATE_AVR_H
#define RNN_UPDATE_AVR_H

#define ZERO r6
#include "rnn_function_avr.h"

/* Bytes 0 .. 3 of the level: r8 .. r11, an extra byte below or above them: r7, r12. */
#define LEVEL(i) (8 + (i))

/* r24, r25, r16, r17 */
#define AT(i) (24 + (i) + 10 * ((i) > 1))

    .macro least of, a, b
    .set \of, \a
    .if \b < \a
    .set \of, \b
    .endif
    .endm

/* Bytes of a level: level_width_, at least 2. */
    .macro plan_level bits, shift
    .set level_shift_, \shift
    .set level_width_, (\bits - \shift + 7) / 8
    .if level_width_ < 2
    .set level_width_, 2
    .endif
    .endm

/* LEVEL = (acc << align) >> level_shift_ for the element at X, which moves on by 4 bytes. */
    .macro load_level align
    .set drop_, level_shift_ - (\align)
    .if drop_ < 0                       /* a factor common to both products: rare */
    .set byte_, 0
    .rept 4
    ld LEVEL(byte_), X+
    .set byte_, byte_ + 1
    .endr
    .rept -drop_
    lsl LEVEL(0)
    rol LEVEL(1)
    rol LEVEL(2)
    rol LEVEL(3)
    .endr
    .else
    .set bits_, drop_ % 8
    .set left_, 0
    .if bits_ > 4
    .set left_, 1
    .endif
    .set skip_, drop_ / 8
    .set count_, level_width_
    .if bits_
    .set count_, level_width_ + 1
    .endif
    .if skip_
    adiw XL, skip_
    .endif
    .set byte_, 0
    .rept count_
    .if skip_ + byte_ < 4
    ld LEVEL(byte_ - left_), X+
    .else
    sign LEVEL(byte_ - left_), LEVEL(byte_ - left_ - 1)
    .endif
    .set byte_, byte_ + 1
    .endr
    .if skip_ + count_ < 4
    adiw XL, 4 - skip_ - count_
    .endif
    .if left_
    .rept 8 - bits_
    lsl LEVEL(-1)
    .set byte_, 0
    .rept level_width_
    rol LEVEL(byte_)
    .set byte_, byte_ + 1
    .endr
    .endr
    .else
    .rept bits_
    asr LEVEL(count_ - 1)
    .set byte_, count_ - 2
    .rept count_ - 1
    ror LEVEL(byte_)
    .set byte_, byte_ - 1
    .endr
    .endr
    .endif
    .endif
    .endm

/* r18 = the bias at \bias, a register pair that moves on. */
    .macro next_bias bias
    movw ZL, \bias
    lpm r18, Z+
    movw \bias, ZL
    .endm

/* r18 = the bias \offset bytes behind \bias. */
    .macro bias_at bias, offset
    movw ZL, \bias
    .if \offset
    subi ZL, lo8(-(\offset))
    sbci ZH, hi8(-(\offset))
    .endif
    lpm r18, Z
    .endm

/* AT(at_) = clip(((level + bias) >> shift) + 128, 0, 255), the bias in r18, at 2^\align of the
 * pre-activation. */
    .macro index_of align, shift
    movw AT(0), LEVEL(0)
    .if level_width_ > 2
    mov AT(2), LEVEL(2)
    .endif
    .if level_width_ > 3
    mov AT(3), LEVEL(3)
    .endif
    add_bias (\align - level_shift_)
    shift_index (\shift - level_shift_)
    clip_index
    .endm

/* AT += r18 << k, from byte k / 8 on. */
    .macro add_bias k
    .if \k == 0 && level_width_ == 2
    add AT(0), r18
    adc AT(1), ZERO
    sbrc r18, 7
    dec AT(1)
    .else
    sign r19, r18
    .rept (\k) % 8
    lsl r18
    rol r19
    .endr
    sign r20, r19
    .set byte_, (\k) / 8
    .if byte_ < level_width_
    add AT(byte_), r18
    .endif
    .if byte_ + 1 < level_width_
    adc AT(byte_ + 1), r19
    .endif
    .set byte_, byte_ + 2
    .rept 2
    .if byte_ < level_width_
    adc AT(byte_), r20
    .endif
    .set byte_, byte_ + 1
    .endr
    .endif
    .endm

/* AT(at_) .. are AT >> k. */
    .macro shift_index k
    .set at_, (\k) / 8
    .if at_ >= level_width_             /* only the sign is left */
    .set at_, level_width_ - 1
    .rept 7
    asr AT(at_)
    .endr
    .else
    .rept (\k) % 8
    asr AT(level_width_ - 1)
    .set byte_, level_width_ - 2
    .rept level_width_ - 1 - at_
    ror AT(byte_)
    .set byte_, byte_ - 1
    .endr
    .endr
    .endif
    .endm

    .macro clip_index
    subi AT(at_), 0x80
    .if at_ + 1 < level_width_
    .set byte_, at_ + 1
    .rept level_width_ - at_ - 1
    sbci AT(byte_), 0xFF
    .set byte_, byte_ + 1
    .endr
    .set byte_, at_ + 2
    .if level_width_ - at_ == 2
    tst AT(at_ + 1)
    .else
    mov r19, AT(at_ + 1)
    .rept level_width_ - at_ - 2
    or r19, AT(byte_)
    .set byte_, byte_ + 1
    .endr
    .endif
    breq 1f
    ldi AT(at_), 0xFF
    sbrc AT(level_width_ - 1), 7
    clr AT(at_)
1:
    .endif
    .endm

/* Entry AT(at_) of a table of bytes. */
    .macro look_up_byte to, table
    ldi ZL, lo8(\table)
    ldi ZH, hi8(\table)
    add ZL, AT(at_)
    adc ZH, ZERO
    lpm \to, Z
    .endm

/* Entry AT(at_) of a table of int16. */
    .macro look_up_word low, high, table
    ldi ZL, lo8(\table)
    ldi ZH, hi8(\table)
    add ZL, AT(at_)
    adc ZH, ZERO
    add ZL, AT(at_)
    adc ZH, ZERO
    lpm \low, Z+
    lpm \high, Z
    .endm

/* p2:p1:p0 = gate * value, u8 * s16 or u8 * s8; gate and the value's last byte in r16 .. r23. */
    .macro gate_product p2, p1, p0, gate, low, high
    mul \gate, \low
    movw \p0, r0
    mulsu \high, \gate
    add \p1, r0
    clr \p2
    adc \p2, r1
    .endm

    .macro gate_product_byte p2, p1, p0, gate, value
    mulsu \value, \gate
    sbc \p2, \p2
    movw \p0, r0
    .endm

/* d3:d2:d1:d0 = a * b, s16 * s16, all four in r16 .. r23. */
    .macro word_product d3, d2, d1, d0, a1, a0, b1, b0
    muls \a1, \b1
    movw \d2, r0
    mul \a0, \b0
    movw \d0, r0
    mulsu \a1, \b0
    sbc \d3, ZERO
    add \d1, r0
    adc \d2, r1
    adc \d3, ZERO
    mulsu \b1, \a0
    sbc \d3, ZERO
    add \d1, r0
    adc \d2, r1
    adc \d3, ZERO
    .endm

/* \high:\low = the end of int16 on the side of \sign, 0x7FFF or 0x8000; \high is that of int8. */
    .macro end_of_range high, low, sign
    sign \low, \sign
    mov \high, \low
    com \low
    subi \high, 0x80
    com \high
    .endm

/* One more clamp in the counter at \offset in rnn_counters. */
    .macro count_clamp offset
    sec
    .irp byte, 0, 1, 2, 3
    lds r0, rnn_counters + \offset + \byte
    adc r0, ZERO
    sts rnn_counters + \offset + \byte, r0
    .endr
    .endm

#endif
