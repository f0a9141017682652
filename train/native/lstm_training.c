/* An LSTM for training (see recurrent_layer.h). Gates i, f, g, o; states h, c; all four gates share one bias each. */
#include "vector.h"

enum { GATES = 4, SUMS = 4, STATES = 2, KEPT = 5 };

PEDAL_INLINE void cell_forward(const lanes *sums, const lanes *before, lanes *after, lanes *kept) {
    lanes i = logistic(sums[0]), f = logistic(sums[1]), g = tangent(sums[2]), o = logistic(sums[3]);
    after[1] = product_sum(f, before[1], i, g);
    lanes tc = tangent(after[1]);
    after[0] = product(o, tc);
    kept[0] = i;
    kept[1] = f;
    kept[2] = g;
    kept[3] = o;
    kept[4] = tc;
}

PEDAL_INLINE void cell_backward(const vec *kept, const vec *before, const vec *after, const vec *d_after,
                                vec *d_before, vec *d_sums) {
    (void)after;
    vec i = kept[0], f = kept[1], g = kept[2], o = kept[3], tc = kept[4];
    vec dc = d_after[1] + d_after[0] * o * (1.0f - tc * tc);
    d_sums[0] = dc * g * i * (1.0f - i);
    d_sums[1] = dc * before[1] * f * (1.0f - f);
    d_sums[2] = dc * i * (1.0f - g * g);
    d_sums[3] = d_after[0] * tc * o * (1.0f - o);
    d_before[0] = (vec){ 0 };
    d_before[1] = dc * f;
}

#include "recurrent_layer.h"
