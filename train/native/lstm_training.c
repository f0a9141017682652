/* An LSTM for training (see recurrent_layer.h). Gates i, f, g, o; states h, c; all four gates share one bias each.
 *
 * It may compute on the grids of an integer LSTM: each of these, where it is defined, is "step, low, high", the ends in
 * steps, and a signal is rounded and clipped to it.
 *   PEDAL_GATE_GRID     the four sums. PEDAL_GATE_SATURATED, "low, high", is then sigmoid(sum) near both ends:
 *                       beyond them the gradient is zero (tanh needs no such end: its slope is nothing there)
 *   PEDAL_CELL_GRID     c after every step
 *   PEDAL_HIDDEN_GRID   h after every step
 * Rounding passes gradients on as if it were not there (straight-through), c and h at their ends too.
 */
#include "vector.h"

enum { GATES = 4, SUMS = 4, STATES = 2, KEPT = 5 };

#ifdef PEDAL_GATE_GRID
PEDAL_INLINE lanes gate_sum(lanes x) { return snap_lanes(x, PEDAL_GATE_GRID); }

PEDAL_INLINE vec zero_outside(vec d, vec gate, float low, float high) {
    return (vec)((ivec)d & (gate > (vec){ 0 } + low) & (gate < (vec){ 0 } + high));
}

PEDAL_INLINE vec unless_saturated(vec d, vec gate) { return zero_outside(d, gate, PEDAL_GATE_SATURATED); }
#else
PEDAL_INLINE lanes gate_sum(lanes x) { return x; }

PEDAL_INLINE vec unless_saturated(vec d, vec gate) {
    (void)gate;
    return d;
}
#endif

PEDAL_INLINE void cell_forward(const lanes *sums, const lanes *before, lanes *after, lanes *kept) {
    lanes i = logistic(gate_sum(sums[0])), f = logistic(gate_sum(sums[1]));
    lanes g = tangent(gate_sum(sums[2])), o = logistic(gate_sum(sums[3]));
    after[1] = product_sum(f, before[1], i, g);
#ifdef PEDAL_CELL_GRID
    after[1] = snap_lanes(after[1], PEDAL_CELL_GRID);
#endif
    lanes tc = tangent(after[1]);
    after[0] = product(o, tc);
#ifdef PEDAL_HIDDEN_GRID
    after[0] = snap_lanes(after[0], PEDAL_HIDDEN_GRID);
#endif
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
    d_sums[0] = unless_saturated(dc * g * i * (1.0f - i), i);
    d_sums[1] = unless_saturated(dc * before[1] * f * (1.0f - f), f);
    d_sums[2] = dc * i * (1.0f - g * g);
    d_sums[3] = unless_saturated(d_after[0] * tc * o * (1.0f - o), o);
    d_before[0] = (vec){ 0 };
    d_before[1] = dc * f;
}

#include "recurrent_layer.h"
