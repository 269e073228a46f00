/* SPDX-License-Identifier: MIT
 *
 * rnn_sat_s32_s16.h -- clamp to int16 on ARMv7-M: SSAT, and a comparison that counts.
 * Contract: kernels/rnn_sat_s32_s16.h. */
#ifndef RNN_SAT_S32_S16_H
#define RNN_SAT_S32_S16_H

#include "rnn_flash.h"

RNN_INLINE int16_t rnn_sat_s32_s16(int32_t v, uint32_t *count)
{
    int32_t clamped;
    __asm__("ssat %0, #16, %1" : "=r"(clamped) : "r"(v));
    *count += clamped != v; /* no branch, so that a loop keeps it in a register */
    return (int16_t)clamped;
}

#endif
