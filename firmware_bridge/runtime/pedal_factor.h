/* A factor as TFLite's kernels have it: multiplier * 2^(shift - 31), and a product with it, rounded twice. */
#ifndef PEDAL_FACTOR_H
#define PEDAL_FACTOR_H

#include <stdint.h>

#include "pedal_dsp.h"

typedef struct {
    int32_t multiplier, shift;
} pedal_factor;

/* value * factor, rounded twice: the high product with halves up, then the shift with halves away from zero. A shift to
 * the left wraps. */
PEDAL_INLINE int32_t pedal_rescale_twice(int32_t value, pedal_factor factor)
{
    if (factor.shift > 0)
        value = (int32_t)((uint32_t)value << factor.shift);
    const int64_t product = ((int64_t)value * factor.multiplier + (INT32_C(1) << 30)) >> 31;
    if (factor.shift >= 0)
        return (int32_t)product;
    return (int32_t)((product + (INT64_C(1) << (-factor.shift - 1)) + (product >> 63)) >> -factor.shift);
}

#endif
