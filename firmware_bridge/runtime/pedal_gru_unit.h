/* A GRU unit in float: from its sums (update, reset, candidate as heard, candidate as recalled) and its state to the next. */
#ifndef PEDAL_GRU_UNIT_H
#define PEDAL_GRU_UNIT_H

#include "pedal_activations.h"

/* Sums to which nothing is added: the input knows nothing of what is recalled, the state nothing of what is heard. */
#define PEDAL_IDLE_KERNEL_ROW 3
#define PEDAL_IDLE_RECURRENT_ROW 2

PEDAL_INLINE float pedal_step_unit(pedal_unit_sums sums, float *state)
{
    const float candidate = pedal_tanh_float(PEDAL_FMA(pedal_sigmoid_float(sums.second), sums.fourth, sums.third));
    /* z h + (1 - z) n = h + (1 - z) (n - h), and 1 - z is a sigmoid as well: exact even where z is all but 1. */
    *state += pedal_sigmoid_float(-sums.first) * (candidate - *state);
    return *state;
}

#endif
