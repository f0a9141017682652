/* An LSTM unit in each lane: from the pre-activations of its gates to its new cell and hidden state.
 *
 * Rows of the input and the output gate come halved, for sigmoid x = (1 + tanh(x / 2)) / 2; those of the forget gate divided
 * by ln 2, for an exponential of base 2. Sigmoids and tanh are fractions, multiplied before they are divided.
 */
#ifndef PEDAL_LSTM_LANES_H
#define PEDAL_LSTM_LANES_H

#include "pedal_gate_lanes.h"

/* Rows that are all zero: none. */
#define PEDAL_IDLE_KERNEL_ROW 4
#define PEDAL_IDLE_RECURRENT_ROW 4

/* A group's step from its gates' pre-activations: updates the cells and returns the hidden states.
 *
 * 1 - f is the sigmoid of minus the argument: a cell with a forget gate of 0.9999 is decided by 1 - 0.9999, and the
 * exponential gives that as exactly as any other.
 */
PEDAL_INLINE pedal_floats pedal_step_group(const pedal_floats z[4], pedal_floats *cell)
{
    const pedal_floats one = pedal_splat(1.0f), old = *cell;
    const pedal_floats forgetting = one + pedal_exp2_lanes(z[1]);
    const pedal_fraction i = pedal_tanh_times(z[0], one), g = pedal_tanh_times(z[2], pedal_splat(0.5f));
    const pedal_fraction o = pedal_tanh_times(z[3], one);
    const pedal_floats written = (i.numerator + i.denominator) * g.numerator, scale = i.denominator * g.denominator;
#if PEDAL_NEON
    /* Small cores divide one vector at a time. */
    const pedal_floats c = old + (written * forgetting - old * scale) / (scale * forgetting);
#else
    const pedal_floats c = (old + written / scale) - old / forgetting;
#endif
    *cell = c;
    const pedal_fraction answer = pedal_tanh_times(c, o.numerator + o.denominator);
    return answer.numerator / (answer.denominator * (o.denominator * pedal_splat(2.0f / PEDAL_STATE_STEPS)));
}

#endif
