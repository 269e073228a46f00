/* SPDX-License-Identifier: MIT
 *
 * rnn_model.h -- the whole network: input stage, cell, classifier. One network per image; its state
 * is static. Equal bit for bit to harness/reference/model.py. */
#ifndef RNN_MODEL_H
#define RNN_MODEL_H

#include "rnn_cell.h"
#include "rnn_counters.h"

/* Start a window: zero state, zero counters. */
void rnn_model_reset(void);

/* One time step on raw samples: raw int16 [RNN_FEATURES], counts of raw_step. */
void rnn_model_step(const int16_t *raw);

/* Classifier on the current hidden state. */
void rnn_model_classify(void);

/* What rnn_model_classify found: int32 [RNN_CLASSES], and the index of the first largest. */
const int32_t *rnn_model_logits(void);
uint8_t rnn_model_label(void);

#endif
