/* SPDX-License-Identifier: MIT
 *
 * rnn_sat_s32_s8.h -- clamp to int8; a clamp that changes the value adds one to *count. */
#ifndef RNN_SAT_S32_S8_H
#define RNN_SAT_S32_S8_H

#include "rnn_flash.h"

RNN_INLINE int8_t rnn_sat_s32_s8(int32_t v, uint32_t *count)
{
    if (v > INT8_MAX) {
        ++*count;
        return INT8_MAX;
    }
    if (v < INT8_MIN) {
        ++*count;
        return INT8_MIN;
    }
    return (int8_t)v;
}

#endif
