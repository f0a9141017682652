/* Sigmoid and tanh in float32, without a math library: the same on every target but for fused multiplications.
 *
 * tanh x = x P(x^2) / Q(x^2) on [-9, 9], both of degree 4, minimax of the relative error (7.5e-8): within 4e-7 of its
 * size, rounding included, and as often above as below.
 * sigmoid x = 1 / (1 + exp -x), exp x = 2^k exp r with |r| <= ln 2 / 2 and a minimax polynomial of degree 6. So a sigmoid
 * near 0 is as exact, relative to its size, as one near 1/2: a cell with a forget gate of 0.9999 is decided by
 * 1 - 0.9999, which is computed as the sigmoid of minus the argument.
 */
#ifndef PEDAL_ACTIVATIONS_H
#define PEDAL_ACTIVATIONS_H

#include <stdint.h>
#include <string.h>

#include "pedal_dsp.h"

/* a * b + c, fused where that is one instruction. */
#if defined(__FP_FAST_FMAF)
#define PEDAL_FMA(a, b, c) __builtin_fmaf(a, b, c)
#else
#define PEDAL_FMA(a, b, c) ((a) * (b) + (c))
#endif

/* Between low and high; NaN becomes low, so that a network forgets it again. */
PEDAL_INLINE float pedal_limit(float x, float low, float high)
{
#if defined(__ARM_FEATURE_NUMERIC_MAXMIN) && defined(__GNUC__)
    return __builtin_fminf(__builtin_fmaxf(x, low), high);
#else
    const float above = x > low ? x : low;
    return above < high ? above : high;
#endif
}

PEDAL_INLINE float pedal_tanh_float(float argument)
{
    const float x = pedal_limit(argument, -9.0f, 9.0f);
    const float u = x * x;
    float p = PEDAL_FMA(1.23590063e-08f, u, 1.99533206e-05f);
    p = PEDAL_FMA(p, u, 0.00345879374f);
    p = PEDAL_FMA(p, u, 0.133511096f);
    p = PEDAL_FMA(p, u, 0.99999994f);
    float q = PEDAL_FMA(7.38693359e-07f, u, 0.000322326057f);
    q = PEDAL_FMA(q, u, 0.0257403105f);
    q = PEDAL_FMA(q, u, 0.46684444f);
    q = PEDAL_FMA(q, u, 1.0f);
    return x * p / q;
}

/* exp of -argument; the result lies between 2^-126 and 2^126. */
PEDAL_INLINE float pedal_exp_of_minus(float argument)
{
    const float x = -pedal_limit(argument, -87.0f, 87.0f);
    /* Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the last bits. */
    const float magic = 12582912.0f;
    const float moved = PEDAL_FMA(x, 1.44269502f, magic);
    int32_t bits;
    memcpy(&bits, &moved, sizeof bits);
    const int32_t k = bits - 0x4B400000;
    const float whole = (float)k;
    /* ln 2 in two parts, the first of few bits. */
    const float r = PEDAL_FMA(whole, -1.42860677e-06f, PEDAL_FMA(whole, -0.693145752f, x));
    float e = PEDAL_FMA(0.00138137059f, r, 0.00836875383f);
    e = PEDAL_FMA(e, r, 0.0416684039f);
    e = PEDAL_FMA(e, r, 0.166665211f);
    e = PEDAL_FMA(e, r, 0.49999994f);
    e = PEDAL_FMA(e, r, 1.0f);
    e = PEDAL_FMA(e, r, 1.0f);
    const int32_t power_bits = (k + 127) * (1 << 23);
    float power;
    memcpy(&power, &power_bits, sizeof power);
    return e * power;
}

PEDAL_INLINE float pedal_sigmoid_float(float argument)
{
    return 1.0f / (1.0f + pedal_exp_of_minus(argument));
}

/* Four sums of one unit, which a cell gives their meaning. */
typedef struct {
    float first, second, third, fourth;
} pedal_unit_sums;

#endif
