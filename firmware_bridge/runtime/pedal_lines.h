/* Sigmoid and tanh as tflite-micro's integer kernels have them: straight lines between 256 nodes of the sigmoid.
 *
 * Source: tensorflow/lite/kernels/internal/reference/integer_ops/{logistic.h, tanh.h} of tflite-micro.
 */
#ifndef PEDAL_LINES_H
#define PEDAL_LINES_H

#include "pedal_dsp.h"
#include "pedal_tflite.h"

/* Sigmoid at magnitude, nodes 2^bits apart, in 65536ths times 2^bits. */
PEDAL_INLINE int32_t pedal_between_nodes(int32_t magnitude, int bits)
{
    const int32_t place = magnitude >> bits;
    if (place >= 255)
        return bits == 9 ? INT32_C(32767) << 10 : INT32_C(65535) << 8;
    const int32_t left = pedal_sigmoid_nodes[place], right = pedal_sigmoid_nodes[place + 1];
    return left * (1 << bits) + (magnitude & ((1 << bits) - 1)) * (right - left);
}

/* Sigmoid of Q3.12 in Q0.15. */
PEDAL_INLINE int32_t pedal_sigmoid(int32_t z)
{
    const int32_t steps = z * 3;
    return steps >= 0 ? (pedal_between_nodes(steps, 9) + (1 << 9)) >> 10
                      : ((1 << 25) - pedal_between_nodes(-steps, 9) + (1 << 9) - 1) >> 10;
}

/* Tanh of an int16 with so many integer bits, in Q0.15. */
PEDAL_INLINE int32_t pedal_tanh(int32_t z, int integer_bits)
{
    /* Finer inputs than Q3.12 are rounded to it, halves up. */
    const int shift = integer_bits - 3;
    const int32_t steps = shift < 0 ? (z * 3 + ((1 << -shift) >> 1)) >> -shift : z * 3 * (1 << shift);
    return steps >= 0 ? (pedal_between_nodes(steps, 8) - (1 << 23) + (1 << 7)) >> 8
                      : ((1 << 23) - pedal_between_nodes(-steps, 8) + (1 << 7) - 1) >> 8;
}

#endif
