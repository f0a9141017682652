/* What a WaveNet's layers do to a vector of samples: on any machine, with one lane where there are no vectors.
 *
 * tanh x = x P(x^2) / Q(x^2) on [-7, 7], both of degree 3, fitted to the least largest error: 1.7e-6, far below what a
 * network's own training leaves. A sigmoid is a tanh of half the argument.
 */
#ifndef PEDAL_WAVENET_LANES_H
#define PEDAL_WAVENET_LANES_H

#if PEDAL_LANES > 1
#include "pedal_lanes.h"
#else
#include "pedal_activations.h"

typedef float pedal_floats;

PEDAL_INLINE pedal_floats pedal_load(const float *values)
{
    return *values;
}

PEDAL_INLINE void pedal_store(float *values, pedal_floats value)
{
    *values = value;
}

PEDAL_INLINE pedal_floats pedal_splat(float value)
{
    return value;
}

PEDAL_INLINE pedal_floats pedal_limit_lanes(pedal_floats x, float limit)
{
    return pedal_limit(x, -limit, limit);
}
#endif

/* a * b + c, fused where that is one instruction. */
#if PEDAL_LANES > 1
#define PEDAL_MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#else
#define PEDAL_MULTIPLY_ADD(a, b, c) PEDAL_FMA(a, b, c)
#endif

/* Keeps the compiler from an address of its own for every sample behind this one, which it would keep in memory. */
#if PEDAL_LANES == 1 && defined(__GNUC__)
#define PEDAL_ONE_ADDRESS(pointer) __asm__("" : "+r"(pointer))
#else
#define PEDAL_ONE_ADDRESS(pointer) (void)(pointer)
#endif

enum { PEDAL_TANH, PEDAL_RELU, PEDAL_LEAKY_RELU };

/* The larger of two, lane by lane; y where x is not a number. */
PEDAL_INLINE pedal_floats pedal_larger(pedal_floats x, pedal_floats y)
{
#if PEDAL_AVX512
    return (pedal_floats)_mm512_max_ps((__m512)x, (__m512)y);
#elif PEDAL_AVX2
    return (pedal_floats)_mm256_max_ps((__m256)x, (__m256)y);
#elif PEDAL_NEON
    return (pedal_floats)vmaxnmq_f32((float32x4_t)x, (float32x4_t)y);
#elif PEDAL_LANES > 1
    const pedal_ints above = x > y;
    return (pedal_floats)(((pedal_ints)x & above) | ((pedal_ints)y & ~above));
#else
    return x > y ? x : y;
#endif
}

PEDAL_INLINE pedal_floats pedal_quotient(pedal_floats above, pedal_floats below)
{
#if PEDAL_AVX512
    /* Fourteen bits and a Newton step are sooner than a division. */
    const __m512 guess = _mm512_rcp14_ps((__m512)below);
    const __m512 rest = _mm512_fnmadd_ps((__m512)below, guess, _mm512_set1_ps(1.0f));
    const __m512 first = _mm512_mul_ps((__m512)above, guess);
    return (pedal_floats)_mm512_fmadd_ps(first, rest, first);
#else
    return above / below;
#endif
}

PEDAL_INLINE pedal_floats pedal_tanh_lanes(pedal_floats argument)
{
    const pedal_floats x = pedal_limit_lanes(argument, 7.0f);
    const pedal_floats u = x * x;
    pedal_floats above = PEDAL_MULTIPLY_ADD(3.93001435e-06f, u, 2.27698923e-03f);
    above = PEDAL_MULTIPLY_ADD(above, u, 1.23021833e-01f);
    above = PEDAL_MULTIPLY_ADD(above, u, 9.99995688e-01f);
    pedal_floats below = PEDAL_MULTIPLY_ADD(1.42350880e-04f, u, 2.10721813e-02f);
    below = PEDAL_MULTIPLY_ADD(below, u, 4.56340318e-01f);
    below = PEDAL_MULTIPLY_ADD(below, u, 1.0f);
    return pedal_quotient(x * above, below);
}

PEDAL_INLINE pedal_floats pedal_activate(int kind, pedal_floats x)
{
    if (kind == PEDAL_TANH)
        return pedal_tanh_lanes(x);
    const float slope = kind == PEDAL_LEAKY_RELU ? 0.01f : 0.0f;
#if PEDAL_LANES == 1 && defined(__FP_FAST_FMAF) && defined(__GNUC__)
    /* Comparisons of floats go through the flags of the core. */
    return PEDAL_FMA(0.5f - 0.5f * slope, __builtin_fabsf(x), (0.5f + 0.5f * slope) * x);
#else
    return pedal_larger(x, slope * x);
#endif
}

PEDAL_INLINE pedal_floats pedal_logistic_lanes(pedal_floats x)
{
    return 0.5f * pedal_tanh_lanes(0.5f * x) + 0.5f;
}

#endif
