/* Between the samples of a block and the numbers of the network: gains, formats, saturation.
 *
 * Integer networks take integers, and every player must round to the same ones: to nearest, halves away from zero, after
 * the float32 products of the reference. With int16 samples no float is computed. The generator tried all 65,536 samples
 * against the reference; where one product and a shift give its every answer, they are what PEDAL_INPUT_MULTIPLIER and
 * PEDAL_INPUT_SHIFT say, else pedal_follow_float rounds where float32 would. The same holds for the way back.
 */
#ifndef PEDAL_AUDIO_H
#define PEDAL_AUDIO_H

#include "pedal.h"
#include "pedal_dsp.h"
#if defined(PEDAL_ARITHMETIC_TFLITE) || defined(PEDAL_ARITHMETIC_TFLITE_PAIR)
#include "pedal_tflite.h"
#endif

/* The nearest integer, halves away from zero, saturated; low and high are within 24 bits. NaN becomes low. */
PEDAL_INLINE int32_t pedal_round_float(float value, int32_t low, int32_t high)
{
    if (!(value > (float)low))
        return low;
    if (value > (float)high)
        return high;
    const int32_t whole = (int32_t)value;
    const float rest = value - (float)whole; /* exact */
    const int32_t rounded = rest >= 0.5f ? whole + 1 : rest <= -0.5f ? whole - 1 : whole;
    return pedal_clamp(rounded, low, high);
}

/* value * multiplier / 2^shift to nearest, halves away from zero; value has 16 bits. */
PEDAL_INLINE int32_t pedal_scale_integer(int32_t value, uint32_t multiplier, int shift)
{
    if (shift == 0)
        return value * (int32_t)multiplier;
    if (multiplier < 32768) {
        const int32_t half = (INT32_C(1) << (shift - 1)) - (value < 0);
        return (value * (int32_t)multiplier + half) >> shift;
    }
    const int64_t half = (INT64_C(1) << (shift - 1)) - (value < 0);
    return (int32_t)((value * (int64_t)multiplier + half) >> shift);
}

/* The number of bits of value, without its leading zeros. */
PEDAL_INLINE int pedal_count_bits(uint64_t value)
{
    int bits = 0;
    for (int step = 32; step > 0; step /= 2)
        if (value >> step != 0) {
            value >>= step;
            bits += step;
        }
    return bits + (value != 0);
}

/* What float32 makes of value * gain * multiplier / 2^shift: rounded to 24 bits after each product (halves to even), at
 * last to the nearest integer (halves away from zero). gain has at most 24 bits, multiplier at most 38.
 */
PEDAL_INLINE int32_t pedal_follow_float(int32_t value, uint32_t gain, uint64_t multiplier, int shift)
{
    uint64_t magnitude = (uint64_t)(value < 0 ? -value : value) * gain;
    int left = shift;
    const int extra = pedal_count_bits(magnitude) - 24;
    if (extra > 0) {
        const uint64_t odd = (magnitude >> extra) & 1;
        magnitude = (magnitude + (UINT64_C(1) << (extra - 1)) - 1 + odd) >> extra;
        left -= extra;
    }
    magnitude *= multiplier;
    if (left > 63)
        return 0; /* less than a half, and shifts end at 63 */
    /* Half of the last of 24 bits: what reaches a half by it, float32 rounds to the half, and the half goes up. */
    const int last = pedal_count_bits(magnitude) - 24;
    magnitude += (UINT64_C(1) << (left - 1)) + (last > 0 ? UINT64_C(1) << (last - 1) : 0);
    const int32_t rounded = (int32_t)(magnitude >> left);
    return value < 0 ? -rounded : rounded;
}

#if defined(PEDAL_ARITHMETIC_FLOAT)

PEDAL_INLINE float pedal_encode(pedal_sample sample)
{
#if PEDAL_IO_INT16
    return (float)sample * (1.0f / 32768.0f) * PEDAL_INPUT_GAIN;
#else
    return sample * PEDAL_INPUT_GAIN;
#endif
}

PEDAL_INLINE pedal_sample pedal_decode(float wet)
{
#if PEDAL_IO_INT16
    return (int16_t)pedal_round_float(wet * PEDAL_OUTPUT_GAIN * 32768.0f, -32768, 32767);
#else
    return wet * PEDAL_OUTPUT_GAIN;
#endif
}

#else

/* The integer of a sample, PEDAL_INPUT_LOW to PEDAL_INPUT_HIGH. */
PEDAL_INLINE int32_t pedal_encode(pedal_sample sample)
{
#if PEDAL_IO_INT16 && defined(PEDAL_PLAYER)
    const int32_t steps =
        PEDAL_INPUT_FLOAT_GAIN
            ? pedal_follow_float(sample, PEDAL_INPUT_FLOAT_GAIN, PEDAL_INPUT_MULTIPLIER, PEDAL_INPUT_SHIFT)
            : pedal_scale_integer(sample, (uint32_t)PEDAL_INPUT_MULTIPLIER, PEDAL_INPUT_SHIFT);
    return pedal_clamp(steps + PEDAL_INPUT_ZERO_POINT, PEDAL_INPUT_LOW, PEDAL_INPUT_HIGH);
#elif PEDAL_IO_INT16 && defined(PEDAL_INPUT_FLOAT_GAIN)
    const int32_t steps = pedal_follow_float(sample, PEDAL_INPUT_FLOAT_GAIN, PEDAL_INPUT_MULTIPLIER, PEDAL_INPUT_SHIFT);
    return pedal_clamp(steps + PEDAL_INPUT_ZERO_POINT, PEDAL_INPUT_LOW, PEDAL_INPUT_HIGH);
#elif PEDAL_IO_INT16
    const int32_t steps = pedal_scale_integer(sample, PEDAL_INPUT_MULTIPLIER, PEDAL_INPUT_SHIFT);
    return pedal_clamp(steps + PEDAL_INPUT_ZERO_POINT, PEDAL_INPUT_LOW, PEDAL_INPUT_HIGH);
#else
    /* Two statements: two roundings to float32. */
    const float heard = sample * PEDAL_INPUT_GAIN;
    const float steps = heard / PEDAL_INPUT_SCALE;
    return PEDAL_INPUT_ZERO_POINT + pedal_round_float(steps, PEDAL_INPUT_LOW - PEDAL_INPUT_ZERO_POINT,
                                                      PEDAL_INPUT_HIGH - PEDAL_INPUT_ZERO_POINT);
#endif
}

#endif

#if defined(PEDAL_ARITHMETIC_W8A16) || defined(PEDAL_ARITHMETIC_TFLITE)

/* The sample of an answer. */
PEDAL_INLINE pedal_sample pedal_decode(int32_t wet)
{
#if PEDAL_IO_INT16 && defined(PEDAL_OUTPUT_IS_INT8)
    return pedal_answer_samples[wet + 128];
#elif PEDAL_IO_INT16 && defined(PEDAL_PLAYER)
    return (int16_t)pedal_saturate_16(
        PEDAL_OUTPUT_FLOAT_GAIN
            ? pedal_follow_float(wet, PEDAL_OUTPUT_FLOAT_GAIN, PEDAL_OUTPUT_MULTIPLIER, PEDAL_OUTPUT_SHIFT)
            : pedal_scale_integer(wet, (uint32_t)PEDAL_OUTPUT_MULTIPLIER, PEDAL_OUTPUT_SHIFT));
#elif PEDAL_IO_INT16 && defined(PEDAL_OUTPUT_FLOAT_GAIN)
    return (int16_t)pedal_saturate_16(
        pedal_follow_float(wet, PEDAL_OUTPUT_FLOAT_GAIN, PEDAL_OUTPUT_MULTIPLIER, PEDAL_OUTPUT_SHIFT));
#elif PEDAL_IO_INT16
    return (int16_t)pedal_saturate_16(pedal_scale_integer(wet, PEDAL_OUTPUT_MULTIPLIER, PEDAL_OUTPUT_SHIFT));
#else
    const float sounding = (float)(wet - PEDAL_OUTPUT_ZERO_POINT) * PEDAL_OUTPUT_SCALE;
    return sounding * PEDAL_OUTPUT_GAIN;
#endif
}

#elif defined(PEDAL_ARITHMETIC_TFLITE_PAIR)

/* The sample of two answers to one sum: the fine one where it is not at an end of int8. The dry sample is the skip. */
PEDAL_INLINE pedal_sample pedal_decode_pair(int32_t coarse, int32_t fine, pedal_sample dry)
{
    const int inside = fine > -128 && fine < 127;
#if PEDAL_IO_INT16
    int32_t wet = inside ? pedal_fine_samples[fine + 128] : pedal_coarse_samples[coarse + 128];
#if defined(PEDAL_DRY_MULTIPLIER)
    wet += (int32_t)(((int64_t)dry * PEDAL_DRY_MULTIPLIER) >> PEDAL_DRY_SHIFT);
#else
    (void)dry;
#endif
    return (int16_t)pedal_saturate_16((wet + (1 << (PEDAL_SAMPLE_GUARD_BITS - 1))) >> PEDAL_SAMPLE_GUARD_BITS);
#else
    float sounding = inside ? (float)(fine - PEDAL_FINE_HEAD_ZERO_POINT) * PEDAL_FINE_SCALE
                            : (float)(coarse - PEDAL_HEAD_ZERO_POINT) * PEDAL_COARSE_SCALE;
    if (PEDAL_SKIP) {
        const float heard = dry * PEDAL_INPUT_GAIN;
        sounding += heard;
    }
    return sounding * PEDAL_OUTPUT_GAIN;
#endif
}

#endif

#endif
