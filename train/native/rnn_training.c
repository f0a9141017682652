/* A simple recurrent layer for training (see recurrent_layer.h): h = tanh(sum). Its state alone is history enough. */
#include "vector.h"

enum { GATES = 1, SUMS = 1, STATES = 1, KEPT = 0 };

PEDAL_INLINE void cell_forward(const lanes *sums, const lanes *before, lanes *after, lanes *kept) {
    (void)before;
    (void)kept;
    after[0] = tangent(sums[0]);
}

PEDAL_INLINE void cell_backward(const vec *kept, const vec *before, const vec *after, const vec *d_after,
                                vec *d_before, vec *d_sums) {
    (void)kept;
    (void)before;
    d_sums[0] = d_after[0] * (1.0f - after[0] * after[0]);
    d_before[0] = (vec){ 0 };
}

#include "recurrent_layer.h"
