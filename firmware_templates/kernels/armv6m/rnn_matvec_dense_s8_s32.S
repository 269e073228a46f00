/* SPDX-License-Identifier: MIT */
#include "rnn_dense.inc"

        matvec_dense rnn_matvec_dense_s8_s32, 4
