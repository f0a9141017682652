/* Sigmoid and tanh as LiteRT's integer kernels have them: gemmlowp's polynomials in 16 bits.
 *
 * An exponential of minus the magnitude (Taylor's polynomial for the last quarter of a unit, a factor per higher bit),
 * then 1 / (1 + e) by three steps of Newton's division. Source: gemmlowp/fixedpoint/fixedpoint.h.
 */
#ifndef PEDAL_GEMMLOWP_H
#define PEDAL_GEMMLOWP_H

#include "pedal_dsp.h"
#include "pedal_rescaling.h"

/* a * b / 2^15 of two int16, halves up. */
PEDAL_INLINE int32_t pedal_multiply_q15(int32_t a, int32_t b)
{
    return (a * b + (1 << 14)) >> 15;
}

/* exp of a value from -1/4 to 0, in Q0.15. */
PEDAL_INLINE int32_t pedal_exp_last_quarter(int32_t value)
{
    const int32_t centre = 28918, third = 10923; /* exp(-1/8) and 1/3 */
    const int32_t x = value + (1 << 12);
    const int32_t x2 = pedal_multiply_q15(x, x);
    const int32_t x3 = pedal_multiply_q15(x2, x), x4 = pedal_multiply_q15(x2, x2);
    const int32_t cubic = pedal_multiply_q15(pedal_divide_rounded(x4, 2) + x3, third);
    const int32_t tail = pedal_divide_rounded(cubic + x2, 1);
    return pedal_saturate_16(centre + pedal_multiply_q15(x + tail, centre));
}

/* exp of a value of at most 0 with so many integer bits, in Q0.15. */
PEDAL_INLINE int32_t pedal_exp_of_negative(int32_t value, int integer_bits)
{
    const int fraction_bits = 15 - integer_bits;
    const int32_t quarter = INT32_C(1) << (fraction_bits - 2);
    const int32_t last = (value & (quarter - 1)) - quarter;
    const int32_t rest = last - value;
    int32_t e = pedal_exp_last_quarter(last * (INT32_C(1) << integer_bits));
    /* exp(-2^k) of every bit k that the rest has. */
#define PEDAL_EXP_FACTOR(k, factor)                                              \
    if (integer_bits > (k) && (rest & (INT32_C(1) << (fraction_bits + (k)))) != 0) \
        e = pedal_multiply_q15(e, factor);
    PEDAL_EXP_FACTOR(-2, 25520)
    PEDAL_EXP_FACTOR(-1, 19875)
    PEDAL_EXP_FACTOR(0, 12055)
    PEDAL_EXP_FACTOR(1, 4435)
    PEDAL_EXP_FACTOR(2, 600)
    PEDAL_EXP_FACTOR(3, 11)
    PEDAL_EXP_FACTOR(4, 0)
#undef PEDAL_EXP_FACTOR
    if (integer_bits > 5 && value < -(INT32_C(1) << (fraction_bits + 5)))
        e = 0;
    return value == 0 ? 32767 : e;
}

/* 1 / ((1 + e) / 2) in Q2.13. */
PEDAL_INLINE int32_t pedal_reciprocal(int32_t e)
{
    const int32_t half_denominator = (e + 32768) >> 1;
    int32_t x = 23130 + pedal_multiply_q15(half_denominator, -15420); /* 48/17 and -32/17 */
    for (int step = 0; step < 3; step++) {
        const int32_t error = (1 << 13) - pedal_multiply_q15(half_denominator, x);
        x += pedal_saturate_16(pedal_multiply_q15(x, error) * 4);
    }
    return x;
}

/* Sigmoid of Q3.12 in Q0.15. */
PEDAL_INLINE int32_t pedal_sigmoid(int32_t z)
{
    const int32_t positive = pedal_saturate_16(pedal_reciprocal(pedal_exp_of_negative(z < 0 ? z : -z, 3)) * 2);
    return z > 0 ? positive : z < 0 ? 32767 - positive : 1 << 14;
}

/* Tanh of an int16 with so many integer bits, in Q0.15. */
PEDAL_INLINE int32_t pedal_tanh(int32_t z, int integer_bits)
{
    /* One integer bit more doubles the argument. */
    const int32_t e = pedal_exp_of_negative(z < 0 ? z : -z, integer_bits + 1);
    const int32_t magnitude = pedal_saturate_16((pedal_reciprocal(e) - (1 << 13)) * 4);
    return z > 0 ? magnitude : z < 0 ? -magnitude : 0;
}

#endif
