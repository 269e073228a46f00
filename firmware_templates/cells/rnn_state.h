/* SPDX-License-Identifier: MIT
 *
 * rnn_state.h -- clamp to the width of the hidden state, counted. */
#ifndef RNN_STATE_H
#define RNN_STATE_H

#include "rnn_counters.h"
#include "rnn_sat_s32_s16.h"
#include "rnn_sat_s32_s8.h"
#include "rnn_vectors.h"

RNN_INLINE rnn_state_t rnn_sat_state(int32_t v)
{
#if RNN_STATE_BITS == 16
    return rnn_sat_s32_s16(v, &rnn_counters.state);
#else
    return rnn_sat_s32_s8(v, &rnn_counters.state);
#endif
}

#endif
