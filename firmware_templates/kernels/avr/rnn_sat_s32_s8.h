/* SPDX-License-Identifier: MIT
 *
 * rnn_sat_s32_s8.h -- clamp to int8, counted, on an AVR: one comparison where nothing is clamped.
 * Contract: the portable file of this name. */
#ifndef RNN_SAT_S32_S8_H
#define RNN_SAT_S32_S8_H

#include "rnn_flash.h"

RNN_INLINE int8_t rnn_sat_s32_s8(int32_t v, uint32_t *count)
{
    if ((int8_t)v == v)
        return (int8_t)v;
    ++*count;
    return v < 0 ? INT8_MIN : INT8_MAX;
}

#endif
