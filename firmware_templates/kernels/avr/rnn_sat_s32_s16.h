/* SPDX-License-Identifier: MIT
 *
 * rnn_sat_s32_s16.h -- clamp to int16, counted, on an AVR: one comparison where nothing is clamped.
 * Contract: the portable file of this name. */
#ifndef RNN_SAT_S32_S16_H
#define RNN_SAT_S32_S16_H

#include "rnn_flash.h"

RNN_INLINE int16_t rnn_sat_s32_s16(int32_t v, uint32_t *count)
{
    if ((int16_t)v == v)
        return (int16_t)v;
    ++*count;
    return v < 0 ? INT16_MIN : INT16_MAX;
}

#endif
