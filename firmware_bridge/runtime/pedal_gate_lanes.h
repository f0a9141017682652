/* What gates are made of, a unit in each lane. tanh is a fraction, so that it can be multiplied before it is divided.
 *
 * PEDAL_PRECISE chooses functions that are as exact as float32 sums, for some more instructions.
 */
#ifndef PEDAL_GATE_LANES_H
#define PEDAL_GATE_LANES_H

#include "pedal_lanes.h"

typedef struct {
    pedal_floats numerator, denominator;
} pedal_fraction;

#if PEDAL_PRECISE
/* tanh(argument) * factor, tanh within 4e-7 (pedal_activations.h says whence). */
PEDAL_INLINE pedal_fraction pedal_tanh_times(pedal_floats argument, pedal_floats factor)
{
    const pedal_floats x = pedal_limit_lanes(argument, 9.0f), u = x * x, u2 = u * u;
    const pedal_floats p = (pedal_splat(0.99999994f) + pedal_splat(0.133511096f) * u) +
                           u2 * ((pedal_splat(0.00345879374f) + pedal_splat(1.99533206e-05f) * u) +
                                 pedal_splat(1.23590063e-08f) * u2);
    const pedal_floats q = (pedal_splat(1.0f) + pedal_splat(0.46684444f) * u) +
                           u2 * ((pedal_splat(0.0257403105f) + pedal_splat(0.000322326057f) * u) +
                                 pedal_splat(7.38693359e-07f) * u2);
    const pedal_fraction result = {x * factor * p, q};
    return result;
}

/* 2 to the power r with |r| <= 1/2, within 2.4e-7 of its size. */
PEDAL_INLINE pedal_floats pedal_exp2_fraction(pedal_floats r)
{
    const pedal_floats r2 = r * r;
    return (pedal_splat(1.00000012f) + pedal_splat(0.693146944f) * r) +
           r2 * ((pedal_splat(0.240221202f) + pedal_splat(0.0555071309f) * r) +
                 r2 * (pedal_splat(0.00967554189f) + pedal_splat(0.00132764713f) * r));
}
#else
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

/* 2 to the power r with |r| <= 1/2, within 3e-6 of its size. */
PEDAL_INLINE pedal_floats pedal_exp2_fraction(pedal_floats r)
{
    const pedal_floats r2 = r * r;
    return (pedal_splat(0.999999261f) + pedal_splat(0.693121814f) * r) +
           r2 * ((pedal_splat(0.240247448f) + pedal_splat(0.0559178632f) * r) + pedal_splat(0.00957010206f) * r2);
}
#endif

/* 2 to the power of the argument. */
PEDAL_INLINE pedal_floats pedal_exp2_lanes(pedal_floats argument)
{
    const pedal_floats x = pedal_limit_lanes(argument, 40.0f), magic = pedal_splat(12582912.0f);
    /* Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the last bits. */
    const pedal_floats moved = x + magic;
    const pedal_floats e = pedal_exp2_fraction(x - (moved - magic));
    return (pedal_floats)((pedal_ints)e + ((pedal_ints)moved << 23));
}

/* Hidden states are given in so many steps: those of int16 for int16 weights, which would cost a product later. */
#if PEDAL_INT16_WEIGHTS
#define PEDAL_STATE_STEPS 32767.0f
#else
#define PEDAL_STATE_STEPS 1.0f
#endif

#endif
