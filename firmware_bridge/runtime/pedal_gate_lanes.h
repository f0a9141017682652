/* What gates are made of, a unit in each lane. tanh is a fraction, so that it can be multiplied before it is divided. */
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

#endif
