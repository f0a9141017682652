/* A GRU for training (see recurrent_layer.h), as Keras with reset_after: gates update z, reset r, candidate; state h.
 *
 * The reset gate scales the state's part of the candidate, its bias included, and not the input's: so the candidate
 * has two sums (and two biases), the last of which is the state's.
 */
#include "vector.h"

enum { GATES = 3, SUMS = 4, STATES = 1, KEPT = 4 };

PEDAL_INLINE void cell_forward(const lanes *sums, const lanes *before, lanes *after, lanes *kept) {
    lanes z = logistic(sums[0]), r = logistic(sums[1]);
    lanes candidate = tangent(add_product(sums[2], r, sums[3]));
    after[0] = mixture(z, before[0], candidate);
    kept[0] = z;
    kept[1] = r;
    kept[2] = candidate;
    kept[3] = sums[3];
}

PEDAL_INLINE void cell_backward(const vec *kept, const vec *before, const vec *after, const vec *d_after,
                                vec *d_before, vec *d_sums) {
    (void)after;
    vec z = kept[0], r = kept[1], candidate = kept[2], from_state = kept[3];
    vec d_candidate = d_after[0] * (1.0f - z) * (1.0f - candidate * candidate);
    d_sums[0] = d_after[0] * (before[0] - candidate) * z * (1.0f - z);
    d_sums[1] = d_candidate * from_state * r * (1.0f - r);
    d_sums[2] = d_candidate;
    d_sums[3] = d_candidate * r;
    d_before[0] = d_after[0] * z;
}

#include "recurrent_layer.h"
