/* SPDX-License-Identifier: MIT
 *
 * rnn_sat_s32_s16.h -- clamp to int16; a clamp that changes the value adds one to *count. */
#ifndef RNN_SAT_S32_S16_H
#define RNN_SAT_S32_S16_H

#include "rnn_flash.h"

RNN_INLINE int16_t rnn_sat_s32_s16(int32_t v, uint32_t *count)
{
    if (v > INT16_MAX) {
        ++*count;
        return INT16_MAX;
    }
    if (v < INT16_MIN) {
        ++*count;
        return INT16_MIN;
    }
    return (int16_t)v;
}

#endif
