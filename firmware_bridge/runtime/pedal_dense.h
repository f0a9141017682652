/* Dense layers that bend, in front of the recurrent layers and behind them.
 *
 * PEDAL_FRONT and PEDAL_BEHIND of pedal_model.h list them in the order of the signal, each as LAYER(name, inputs, units,
 * activation). Weights lie unit by unit, or for machines with vectors input by input.
 */
#ifndef PEDAL_DENSE_H
#define PEDAL_DENSE_H

#include "pedal_activations.h"

#define PEDAL_DECLARE_DENSE(name, inputs, units, bend) \
    extern const float pedal_##name##_weights[(inputs) * (units)], pedal_##name##_bias[units];

/* Moves `signal`, a pointer to what the layer hears, on to what it gives. */
#define PEDAL_PLAY_DENSE(name, inputs, units, bend) \
    float name[units]; \
    pedal_dense_sums(name, pedal_##name##_weights, pedal_##name##_bias, signal, inputs, units); \
    for (int unit = 0; unit < (units); unit++) \
        name[unit] = pedal_##bend##_float(name[unit]); \
    signal = name;

#if defined(PEDAL_FRONT)
PEDAL_FRONT(PEDAL_DECLARE_DENSE)
#endif
#if defined(PEDAL_BEHIND)
PEDAL_BEHIND(PEDAL_DECLARE_DENSE)
#endif

PEDAL_INLINE void pedal_dense_sums(float *sums, const float *weights, const float *bias, const float *signal, int inputs,
                                   int units)
{
#if defined(PEDAL_LANES)
    for (int unit = 0; unit < units; unit++)
        sums[unit] = bias[unit];
    for (int k = 0; k < inputs; k++, weights += units)
        for (int unit = 0; unit < units; unit++)
            sums[unit] = PEDAL_FMA(weights[unit], signal[k], sums[unit]);
#else
    for (int unit = 0; unit < units; unit++, weights += inputs) {
        float sum = bias[unit];
        for (int k = 0; k < inputs; k++)
            sum = PEDAL_FMA(weights[k], signal[k], sum);
        sums[unit] = sum;
    }
#endif
}

PEDAL_INLINE float pedal_relu_float(float x)
{
    return x > 0.0f ? x : 0.0f;
}

PEDAL_INLINE float pedal_elu_float(float x)
{
    /* NaN becomes 0, as of a relu. */
    return x > 0.0f ? x : pedal_exp_of_minus(pedal_limit(-x, 0.0f, 87.0f)) - 1.0f;
}

#endif
