/* A GRU unit in each lane: from its sums (update, reset, candidate as heard, candidate as recalled) to its new state.
 *
 * Rows of the update gate come divided by ln 2, for an exponential of base 2; those of the reset gate halved, for
 * sigmoid x = (1 + tanh(x / 2)) / 2, and those of what is recalled as well, for the half that is left of it.
 */
#ifndef PEDAL_GRU_LANES_H
#define PEDAL_GRU_LANES_H

#include "pedal_gate_lanes.h"

/* Rows that are all zero: the input knows nothing of what is recalled, the state nothing of what is heard. */
#define PEDAL_IDLE_KERNEL_ROW 3
#define PEDAL_IDLE_RECURRENT_ROW 2

/* A group's step: updates the states, kept in full precision, and returns them in
 * PEDAL_STATE_STEPS.
 *
 * z h + (1 - z) n = h + (1 - z) (n - h), and 1 - z is the sigmoid of minus the argument: exact where z is all but 1.
 */
PEDAL_INLINE pedal_floats pedal_step_group(const pedal_floats z[4], pedal_floats *state)
{
    const pedal_floats one = pedal_splat(1.0f), old = *state;
    const pedal_floats holding = one + pedal_exp2_lanes(z[0]);
    const pedal_fraction r = pedal_tanh_times(z[1], one);
    const pedal_floats argument = z[2] + z[3] + z[3] * (r.numerator / r.denominator);
    const pedal_fraction n = pedal_tanh_times(argument, one);
    *state = old + (n.numerator - old * n.denominator) / (n.denominator * holding);
    return *state * pedal_splat(PEDAL_STATE_STEPS);
}

#endif
