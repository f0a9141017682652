/* From sums to the next format: quantized multipliers as TFLite's kernels round them. */
#ifndef PEDAL_RESCALING_H
#define PEDAL_RESCALING_H

#include "pedal_dsp.h"
#include "pedal_tflite.h"

/* What is far beyond int16 may be cut: all that is rescaled here is saturated to 16 bits sooner or later. */
#define PEDAL_FAR (INT32_C(1) << 24)

/* value / 2^exponent, halves away from zero; exponent 0 to 31. */
PEDAL_INLINE int32_t pedal_divide_rounded(int32_t value, int exponent)
{
    return exponent == 0 ? value : (value + (INT32_C(1) << (exponent - 1)) + (value >> 31)) >> exponent;
}

/* As pedal_rescale_twice, of half of twice_value, whose shift to the left must not wrap: one instruction has the first rounding. */
PEDAL_INLINE int32_t pedal_rescale_doubled(int32_t twice_value, pedal_factor factor)
{
    if (factor.shift > 0)
        return pedal_multiply_high_rounded(twice_value * (INT32_C(1) << factor.shift), factor.multiplier);
    return pedal_divide_rounded(pedal_multiply_high_rounded(twice_value, factor.multiplier), -factor.shift);
}

/* value * factor, rounded once, halves up; not beyond PEDAL_FAR. */
PEDAL_INLINE int32_t pedal_rescale_once(int32_t value, pedal_factor factor)
{
    const int64_t product = ((int64_t)value * factor.multiplier + (INT64_C(1) << (30 - factor.shift))) >>
                            (31 - factor.shift);
    return (int32_t)(product < -PEDAL_FAR ? -PEDAL_FAR : product > PEDAL_FAR ? PEDAL_FAR : product);
}

/* Of a gate's sum; doubled where the layer is narrow. */
PEDAL_INLINE int32_t pedal_rescale_gate(int32_t sum, pedal_factor factor, int narrow)
{
#if defined(PEDAL_KERNELS_TFLM16X8)
    (void)narrow;
    return pedal_rescale_once(sum, factor);
#else
    return narrow ? pedal_rescale_doubled(sum, factor)
                  : pedal_clamp(pedal_rescale_twice(sum, factor), -PEDAL_FAR, PEDAL_FAR);
#endif
}

/* Of the head's sum. */
PEDAL_INLINE int32_t pedal_rescale_head(int32_t sum, pedal_factor factor)
{
#if defined(PEDAL_KERNELS_TFLM)
    return pedal_clamp(pedal_rescale_twice(sum, factor), -PEDAL_FAR, PEDAL_FAR);
#else
    return pedal_rescale_once(sum, factor);
#endif
}

#endif
