/* An LSTM unit in float: from the sums of its gates (input, forget, candidate, output) and its cell to its hidden state. */
#ifndef PEDAL_LSTM_UNIT_H
#define PEDAL_LSTM_UNIT_H

#include "pedal_activations.h"

/* Sums to which nothing is added: none. */
#define PEDAL_IDLE_KERNEL_ROW 4
#define PEDAL_IDLE_RECURRENT_ROW 4

PEDAL_INLINE float pedal_step_unit(pedal_unit_sums sums, float *cell)
{
    const float written = pedal_sigmoid_float(sums.first) * pedal_tanh_float(sums.third);
    /* f c = c - (1 - f) c, and 1 - f is a sigmoid as well: exact even where f is all but 1. */
    const float forgotten = pedal_sigmoid_float(-sums.second) * *cell;
    *cell += written - forgotten;
    return pedal_sigmoid_float(sums.fourth) * pedal_tanh_float(*cell);
}

#endif
