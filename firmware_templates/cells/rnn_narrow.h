/* SPDX-License-Identifier: MIT
 *
 * rnn_narrow.h -- low rank's inner values: t[i] = sat16(rshift(acc[i], shift)) * 2^align.
 *
 *   acc     s32 [size]
 *   t       [size], s16 or s32; s32 where align is not 0
 *   shift   0 .. 31 and align are constants at every call
 *
 * A clamp is counted in `mid`. Twin: `_product` in harness/reference/cell.py. */
#ifndef RNN_NARROW_H
#define RNN_NARROW_H

#include "rnn_counters.h"
#include "rnn_rshift_s32.h"
#include "rnn_sat_s32_s16.h"
#include "rnn_scale_s32.h"
#include "rnn_vectors.h"

#define rnn_inner_element RNN_ELEMENT(RNN_T_TYPE)

RNN_INLINE void rnn_narrow(const int32_t *acc, rnn_inner_element *t, uint16_t size, uint8_t shift,
                           uint8_t align)
{
    for (uint16_t i = 0; i < size; i++) {
        int16_t value = rnn_sat_s32_s16(rnn_rshift_s32(acc[i], shift), &rnn_counters.mid);
        t[i] = (rnn_inner_element)rnn_scale_s32(value, align);
    }
}

#endif
