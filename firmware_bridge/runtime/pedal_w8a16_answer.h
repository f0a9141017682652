/* The end of a w8a16 sample, the same for both kernels: letters as in docs/integer-lstm.md. */
#ifndef PEDAL_W8A16_ANSWER_H
#define PEDAL_W8A16_ANSWER_H

#include "pedal_dsp.h"
#ifndef PEDAL_MODEL_H
#include "pedal_model.h"
#endif

/* Fraction bits of sigmoid's argument, where the table is read. */
#define PEDAL_ARGUMENT_BITS 20

/* The head's answer to x in Y, from its sum of weight times state: int16, with the skip. */
PEDAL_INLINE int32_t pedal_answer(int32_t sum, int32_t x)
{
    int32_t total = PEDAL_HEAD_BIAS + (int32_t)(((int64_t)sum * PEDAL_HEAD_MULTIPLIER) >> PEDAL_HEAD_SHIFT);
    if (PEDAL_SKIP)
        total += x * (INT32_C(1) << PEDAL_SKIP_SHIFT);
    return pedal_saturate_16(total >> PEDAL_OUTPUT_GUARD_BITS);
}

#endif
