/* An LSTM unit in each lane: from the pre-activations of its gates to its new cell and hidden state.
 *
 * Rows of the input and the output gate come halved, for sigmoid x = (1 + tanh(x / 2)) / 2; those of the forget gate divided
 * by ln 2, for an exponential of base 2. Sigmoids and tanh are fractions, multiplied before they are divided.
 */
#ifndef PEDAL_GATE_LANES_H
#define PEDAL_GATE_LANES_H

#include "pedal_lanes.h"

typedef struct {
    pedal_floats numerator, denominator;
} pedal_fraction;

/* tanh(argument) * factor, tanh within 6.3e-6. */
PEDAL_INLINE pedal_fraction pedal_tanh_times(pedal_floats argument, pedal_floats factor)
{
    const pedal_floats u = pedal_limit_above(argument * argument, 36.0f), u2 = u * u;
    const pedal_floats x = pedal_limit_lanes(argument, 6.0f) * factor;
    const pedal_floats p = (pedal_splat(0.999971157f) + pedal_splat(0.114472777f) * u) + pedal_splat(0.00149555653f) * u2;
    const pedal_floats q = (pedal_splat(1.0f) + pedal_splat(0.447714152f) * u) +
                           u2 * (pedal_splat(0.0174874246f) + pedal_splat(5.51862042e-05f) * u);
    const pedal_fraction result = {x * p, q};
    return result;
}

/* 2 to the power of the argument, within 3e-6 of its size. */
PEDAL_INLINE pedal_floats pedal_exp2_lanes(pedal_floats argument)
{
    const pedal_floats x = pedal_limit_lanes(argument, 40.0f), magic = pedal_splat(12582912.0f);
    /* Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the last bits. */
    const pedal_floats moved = x + magic;
    const pedal_floats r = x - (moved - magic), r2 = r * r;
    const pedal_floats e = (pedal_splat(0.999999261f) + pedal_splat(0.693121814f) * r) +
                           r2 * ((pedal_splat(0.240247448f) + pedal_splat(0.0559178632f) * r) +
                                 pedal_splat(0.00957010206f) * r2);
    return (pedal_floats)((pedal_ints)e + ((pedal_ints)moved << 23));
}

/* Hidden states are given in so many steps: those of int16 for int16 weights, which would cost a product later. */
#if PEDAL_INT16_WEIGHTS
#define PEDAL_STATE_STEPS 32767.0f
#else
#define PEDAL_STATE_STEPS 1.0f
#endif

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
