/* Sigmoid and tanh as LiteRT's integer kernels have them: gemmlowp's polynomials in 16 bits, looked up.
 *
 * gemmlowp computes an exponential of minus the magnitude and then R = 1 / ((1 + e) / 2) in Q2.13 by Newton's division; a
 * sigmoid is 2 R, and a tanh of half the argument 4 (R - 1). Here R comes from tables, gemmlowp's to the last bit.
 * Source: gemmlowp/fixedpoint/fixedpoint.h.
 */
#ifndef PEDAL_GEMMLOWP_H
#define PEDAL_GEMMLOWP_H

#include "pedal_dsp.h"
#include "pedal_tflite.h"

#define PEDAL_RECIPROCAL_ONE (INT32_C(1) << 13)

/* R of a magnitude in Q3.12, 0 to 2^15. */
PEDAL_INLINE int32_t pedal_reciprocal(uint32_t magnitude)
{
    return pedal_reciprocal_steps[magnitude >> 7] + pedal_reciprocal_beyond[magnitude];
}

/* The same of finer magnitudes: a straight line and four bits of correction. */
PEDAL_INLINE int32_t pedal_reciprocal_by_lines(const int32_t *lines, const uint32_t *corrections, uint32_t magnitude)
{
    const int32_t line = lines[magnitude >> 7];
    const int32_t slope = line & 65535, within = (int32_t)(magnitude & 127);
    const uint32_t correction = (corrections[magnitude >> 3] >> ((magnitude & 7) * 4)) & 15;
    return (line >> 16) + ((slope * within) >> 7) + (int32_t)correction;
}

/* Sigmoid of Q3.12 in Q0.15. */
PEDAL_INLINE int32_t pedal_sigmoid(int32_t z)
{
    const int32_t sign = z >> 31; /* 0 or -1 */
    const int32_t positive = 2 * pedal_reciprocal((uint32_t)((z ^ sign) - sign));
    /* 32767 - positive is the complement of positive, plus 32768. */
    return (positive ^ sign) + (sign & 32768);
}

/* Tanh of an int16 with so many integer bits, in Q0.15. */
PEDAL_INLINE int32_t pedal_tanh(int32_t z, int integer_bits)
{
    const int32_t sign = z >> 31;
    const uint32_t magnitude = (uint32_t)((z ^ sign) - sign);
    const uint32_t gate_magnitude = magnitude << (integer_bits >= 2 ? integer_bits - 2 : 0);
    int32_t r;
#if defined(PEDAL_CELL_OF_0_BITS)
    if (integer_bits == 0)
        r = pedal_reciprocal_by_lines(pedal_reciprocal0_lines, pedal_reciprocal0_corrections, magnitude);
    else
#endif
#if defined(PEDAL_CELL_OF_1_BITS)
    if (integer_bits == 1)
        r = pedal_reciprocal_by_lines(pedal_reciprocal1_lines, pedal_reciprocal1_corrections, magnitude);
    else
#endif
    if (gate_magnitude <= 32768)
        r = pedal_reciprocal(gate_magnitude);
    else /* where a sigmoid has long saturated: all the values there are */
        r = 16378 + (gate_magnitude >= 34338) + 4 * (gate_magnitude >= 35608) + (gate_magnitude >= 37460);
    return (pedal_saturate_16((r - PEDAL_RECIPROCAL_ONE) * 4) ^ sign) - sign;
}

#endif
