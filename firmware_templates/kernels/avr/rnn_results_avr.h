/* SPDX-License-Identifier: MIT
 *
 * rnn_results_avr.h -- what becomes of each matrix's sums: SET, ADD or MID, a shift, and for MID
 * the bytes of a result; or UPDATE. See rnn_matvec_avr.h. */
#ifndef RNN_RESULTS_AVR_H
#define RNN_RESULTS_AVR_H

#include "rnn_matvec_avr.h"
#include "rnn_products.h"

#define BYTES_s8 1
#define BYTES_s16 2
#define BYTES_(type) BYTES_##type
#define BYTES(type) BYTES_(type)

    .set first_align_, RNN_FIRST_ALIGN

#if RNN_W_FIRST
#define RESULT_W SET, first_align_, 0
#define RESULT_U ADD, 0, 0
#else
#define RESULT_W ADD, 0, 0
#define RESULT_U SET, first_align_, 0
#endif
#define RESULT_W1 RESULT_W
#define RESULT_U1 RESULT_U
#define RESULT_W2T MID, RNN_W_MID, BYTES(RNN_T_TYPE)
#define RESULT_U2T MID, RNN_U_MID, BYTES(RNN_T_TYPE)
#define RESULT_U1W1 UPDATE, 0, 0

#if RNN_NARROW
#include "rnn_narrow_avr.h"
#endif

#endif
