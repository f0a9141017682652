/* One recurrent layer forwards and backwards over many streams at once, for training on a CPU.
 *
 * A cell's .c file defines what differs and includes this file last:
 *   GATES    columns of the weight matrices per unit
 *   SUMS     weighted sums per unit. Equal to GATES, or one more where the last gate needs the input's part (sum
 *            GATES - 1) and the state's part (sum SUMS - 1) by themselves. Every sum has a bias.
 *   STATES   arrays that go on from step to step, the hidden state first
 *   KEPT     values per unit and step that the cell leaves for its backward pass
 *   cell_forward    the equations of one unit for sixteen streams, whose slow functions overlap
 *   cell_backward   their gradients for eight: they hold twice as many values, and registers are sixteen
 * Sizes are compile-time constants:
 *   PEDAL_HIDDEN   H, units
 *   PEDAL_INPUTS   C, width of the input
 * The caller splits a batch into groups of sixteen streams (filling up with zeros) and may run groups on different
 * threads: nothing here is shared but the weights, which are read only.
 */
#include <string.h>

#if !defined(PEDAL_HIDDEN) || !defined(PEDAL_INPUTS)
#error "define PEDAL_HIDDEN and PEDAL_INPUTS"
#endif

enum {
    H = PEDAL_HIDDEN,
    C = PEDAL_INPUTS,
    UNITS = SUMS < 3 && H >= 4 ? 4 : 1, /* a block: eight vectors of sums, as many as additions fit into one's delay */
    WHOLE = H / UNITS * UNITS,          /* units in whole blocks; the rest go one by one */
    ROWS = H * GATES,                   /* columns of the weight matrices */
    STATE_FLOATS = STATES * H * LANES,
    KEPT_FLOATS = KEPT * H * LANES,
    INPUT_ROWS = C + C % 2,             /* even, as the next: outer_tile takes two at a time */
    Z_ROWS = INPUT_ROWS + H + H % 2,    /* a step's inputs, then its states before */
    STEPS = 16,                         /* steps whose share of the weights' gradients is added up in one go */
    DELTA_FLOATS = (H + 1) * SUMS * LANES /* one unit spare, lest steps lie a power of two apart and evict each other */
};

/* The history: STATES x [H] lanes before step 0, 1 .. T, then what the cell keeps, [T][H units][KEPT] lanes. */
size_t pedal_history_floats(size_t steps) { return (steps + 1) * STATE_FLOATS + steps * KEPT_FLOATS; }

/* [16][width] of one step, rows `stride` floats apart, to [width] lanes, and back. */
PEDAL_INLINE void to_lanes(size_t width, const float *from, size_t stride, float *to) {
    for (size_t k = 0; k < width; k++)
        for (size_t lane = 0; lane < LANES; lane++) to[k * LANES + lane] = from[lane * stride + k];
}

PEDAL_INLINE void from_lanes(size_t width, const float *from, float *to, size_t stride) {
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t k = 0; k < width; k++) to[lane * stride + k] = from[k * LANES + lane];
}

/* states [STATES][16][H] to STATES x [H] lanes, and back. */
static void states_to_lanes(const float *states, float *to) {
    for (size_t s = 0; s < STATES; s++) to_lanes(H, states + s * LANES * H, H, to + s * H * LANES);
}

static void states_from_lanes(const float *from, float *states) {
    for (size_t s = 0; s < STATES; s++) from_lanes(H, from + s * H * LANES, states + s * LANES * H, H);
}

/* ---- forwards ---- */

/* weights [C + H][H units][GATES] to blocks of units: [C + H][units of the block][GATES], in the order of reading. */
static void pack(const float *weights, float *packed) {
    for (size_t u = 0, units; u < H; u += units) {
        units = u < WHOLE ? UNITS : 1;
        for (size_t k = 0; k < C + H; k++, packed += units * GATES)
            memcpy(packed, weights + (k * H + u) * GATES, units * GATES * sizeof *packed);
    }
}

/* Every sum of some units += weight . z; the last gate's goes to sum `last`. */
PEDAL_INLINE void add_products(size_t units, const float *w, lanes z, size_t last, lanes *sums) {
    for (size_t u = 0; u < units; u++)
        for (size_t g = 0; g < GATES; g++) {
            lanes *sum = sums + u * SUMS + (g == GATES - 1 ? last : g);
            *sum = add_scaled(*sum, w[u * GATES + g], z);
        }
}

/* The sums of a block of units: sums [H][SUMS] lanes. */
PEDAL_INLINE void block_sums(size_t first, size_t units, const float *packed, const float *bias, const float *input,
                             const float *hidden, float *to) {
    lanes sums[UNITS * SUMS];
    for (size_t n = 0; n < units * SUMS; n++) sums[n] = spread(bias[first * SUMS + n]);
    const float *w = packed + first * (C + H) * GATES;
    for (size_t k = 0; k < C; k++, w += units * GATES)
        add_products(units, w, load(input + k * LANES), GATES - 1, sums);
    for (size_t k = 0; k < H; k++, w += units * GATES)
        add_products(units, w, load(hidden + k * LANES), SUMS - 1, sums);
    for (size_t n = 0; n < units * SUMS; n++) store(to + (first * SUMS + n) * LANES, sums[n]);
}

static PEDAL_APART void weighted_sums(const float *packed, const float *bias, const float *input, const float *hidden,
                                      float *sums) {
    for (size_t u = 0; u < WHOLE; u += UNITS) block_sums(u, UNITS, packed, bias, input, hidden, sums);
    for (size_t u = WHOLE; u < H; u++) block_sums(u, 1, packed, bias, input, hidden, sums);
}

/* From the sums of all units to the states after the step. */
static PEDAL_APART void step_cells(const float *sums, const float *before, float *after, float *kept) {
    for (size_t u = 0; u < H; u++) {
        lanes sum[SUMS], old[STATES], new[STATES], keep[KEPT + 1];
        for (size_t n = 0; n < SUMS; n++) sum[n] = load(sums + (u * SUMS + n) * LANES);
        for (size_t s = 0; s < STATES; s++) old[s] = load(before + (s * H + u) * LANES);
        cell_forward(sum, old, new, keep);
        for (size_t s = 0; s < STATES; s++) store(after + (s * H + u) * LANES, new[s]);
        for (int n = 0; n < KEPT; n++) store(kept + (u * KEPT + n) * LANES, keep[n]);
    }
}

/* head . h of one step, to one float per stream. */
static void put_head(const float *head, const float *hidden, float *out, size_t stride) {
    lanes sum = spread(0.0f);
    for (size_t u = 0; u < H; u++) sum = add_scaled(sum, head[u], load(hidden + u * LANES));
    float y[LANES] PEDAL_ALIGNED;
    store(y, sum);
    from_lanes(1, y, out, stride);
}

/* Forward over one group.
 *   x        [16][T][C]   row stride in floats: x_stride
 *   first    [STATES][16][H]
 *   weights  [C + H][H units][GATES]   bias [H][SUMS]
 *   head     [H], or NULL
 *   out      [16][T][H]   h of every step, or with a head [16][T], the sum of head . h; row stride out_stride
 *   last     [STATES][16][H]
 *   history  pedal_history_floats(T), 32-byte aligned, for the backward pass
 */
void pedal_forward(size_t steps, const float *x, size_t x_stride, const float *first, const float *weights,
                   const float *bias, const float *head, float *out, size_t out_stride, float *last, float *history) {
    float packed[(C + H) * ROWS], sums[H * SUMS * LANES] PEDAL_ALIGNED;
    pack(weights, packed);
    states_to_lanes(first, history);
    float *kept = history + (steps + 1) * STATE_FLOATS;
    for (size_t t = 0; t < steps; t++, kept += KEPT_FLOATS) {
        float input[C * LANES] PEDAL_ALIGNED;
        to_lanes(C, x + t * C, x_stride, input);
        const float *before = history + t * STATE_FLOATS;
        float *after = history + (t + 1) * STATE_FLOATS;
        weighted_sums(packed, bias, input, before, sums);
        step_cells(sums, before, after, kept);
        if (head)
            put_head(head, after, out + t, out_stride);
        else
            from_lanes(H, after, out + t * H, out_stride);
    }
    states_from_lanes(history + steps * STATE_FLOATS, last);
}

/* ---- backwards ---- */

/* Gradient of h from one step's output; with a head, the head's own gradient is added up too. */
static void output_gradient(const float *head, const float *hidden, const float *d_out, size_t stride,
                            float *d_hidden, vec *head_sums) {
    if (!head) {
        to_lanes(H, d_out, stride, d_hidden);
        return;
    }
    float dy[LANES] PEDAL_ALIGNED;
    to_lanes(1, d_out, stride, dy);
    lanes v = load(dy);
    for (size_t u = 0; u < H; u++) {
        lanes h = load(hidden + u * LANES);
        store(d_hidden + u * LANES, (lanes){ head[u] * v.a, head[u] * v.b });
        head_sums[u] += h.a * v.a + h.b * v.b;
    }
}

/* All units of one step.
 *   d_states   STATES x [H] lanes; in: gradients of the states after the step; out: of those before it, as far as they
 *              do not pass through the weights
 *   delta      [H][SUMS] lanes, gradients of the sums; also added to bias_sums [H][SUMS]
 */
static PEDAL_APART void gradients_of_sums(const float *kept, const float *before, const float *after, const float *d_hidden,
                              float *d_states, float *delta, vec *bias_sums) {
    for (size_t u = 0; u < H; u++)
        for (size_t half = 0; half < 2; half++) {
            vec keep[KEPT + 1], old[STATES], new[STATES], d_new[STATES], d_old[STATES], d_sums[SUMS];
            size_t at = u * LANES + half * HALF;
            for (size_t s = 0; s < STATES; s++) {
                old[s] = *(const vec *)(before + at + s * H * LANES);
                new[s] = *(const vec *)(after + at + s * H * LANES);
                d_new[s] = *(const vec *)(d_states + at + s * H * LANES);
            }
            for (int n = 0; n < KEPT; n++) keep[n] = *(const vec *)(kept + (size_t)(u * KEPT + n) * LANES + half * HALF);
            d_new[0] += *(const vec *)(d_hidden + at);
            cell_backward(keep, old, new, d_new, d_old, d_sums);
            for (size_t s = 0; s < STATES; s++) *(vec *)(d_states + at + s * H * LANES) = d_old[s];
            for (size_t n = 0; n < SUMS; n++) {
                *(vec *)(delta + (u * SUMS + n) * LANES + half * HALF) = d_sums[n];
                bias_sums[u * SUMS + n] += d_sums[n];
            }
        }
}

/* back[k] += sum over units and gates of weights[k][unit][gate] . delta, for `width` k; delta of the last gate is
 * that of sum `last`. */
PEDAL_INLINE void product_tile(size_t width, const float *weights, const float *delta, size_t last, float *back) {
    lanes sums[4];
    for (size_t n = 0; n < width; n++) sums[n] = load(back + n * LANES);
    for (size_t u = 0; u < H; u++)
        for (size_t g = 0; g < GATES; g++) {
            lanes d = load(delta + (u * SUMS + (g == GATES - 1 ? last : g)) * LANES);
            for (size_t n = 0; n < width; n++) sums[n] = add_scaled(sums[n], weights[n * ROWS + u * GATES + g], d);
        }
    for (size_t n = 0; n < width; n++) store(back + n * LANES, sums[n]);
}

PEDAL_INLINE void add_transpose_product(size_t count, const float *weights, const float *delta, size_t last,
                                        float *back) {
    const size_t whole = count / 4 * 4;
    for (size_t k = 0; k < whole; k += 4) product_tile(4, weights + k * ROWS, delta, last, back + k * LANES);
    for (size_t k = whole; k < count; k++) product_tile(1, weights + k * ROWS, delta, last, back + k * LANES);
}

/* sums[k][unit][gate] += z[k] . delta[unit][gate] over a block of steps, lane by lane, for two k and some units. */
PEDAL_INLINE void outer_tile(size_t count, size_t units, const float *z, const float *delta, size_t last, vec *sums) {
    vec s0[UNITS * GATES] = { { 0 } }, s1[UNITS * GATES] = { { 0 } };
    for (size_t n = 0; n < count; n++, z += Z_ROWS * LANES, delta += DELTA_FLOATS) {
        lanes a = load(z), b = load(z + LANES);
        for (size_t u = 0; u < units; u++)
            for (size_t g = 0; g < GATES; g++) {
                lanes d = load(delta + (u * SUMS + (g == GATES - 1 ? last : g)) * LANES);
                s0[u * GATES + g] += a.a * d.a + a.b * d.b;
                s1[u * GATES + g] += b.a * d.a + b.b * d.b;
            }
    }
    for (size_t n = 0; n < units * GATES; n++) {
        sums[n] += s0[n];
        sums[ROWS + n] += s1[n];
    }
}

/* The share of a block of steps in the weights' gradients. A block of units is outermost: its deltas stay in the
 * fastest cache while all of z passes by. */
PEDAL_INLINE void outer_units(size_t count, size_t first, size_t units, const float *z, const float *delta, vec *sums) {
    delta += first * SUMS * LANES;
    sums += first * GATES;
    for (size_t k = 0; k < INPUT_ROWS; k += 2)
        outer_tile(count, units, z + k * LANES, delta, GATES - 1, sums + k * ROWS);
    for (size_t k = INPUT_ROWS; k < Z_ROWS; k += 2)
        outer_tile(count, units, z + k * LANES, delta, SUMS - 1, sums + k * ROWS);
}

static PEDAL_APART void add_outer(size_t count, const float *z, const float *delta, vec *sums) {
    for (size_t u = 0; u < WHOLE; u += UNITS) outer_units(count, u, UNITS, z, delta, sums);
    for (size_t u = WHOLE; u < H; u++) outer_units(count, u, 1, z, delta, sums);
}

/* Backward over one group; history as the forward pass left it.
 *   head, d_head   [H], or both NULL; d_head is written
 *   d_out          [16][T][H]   gradient of every h, or with a head [16][T], of every sum; row stride out_stride
 *   d_states       [STATES][16][H]   in: gradients of the last states; out: of the first
 *   d_x            [16][T][C]   row stride x_stride
 *   d_weights      [C + H][H units][GATES], d_bias [H][SUMS]: this group's sums are written
 */
void pedal_backward(size_t steps, const float *x, size_t x_stride, const float *weights, const float *history,
                    const float *head, const float *d_out, size_t out_stride, float *d_states, float *d_x,
                    float *d_weights, float *d_bias, float *d_head) {
    vec sums[Z_ROWS * ROWS], bias_sums[H * SUMS], head_sums[H];
    float d_lanes[STATE_FLOATS] PEDAL_ALIGNED, d_hidden[H * LANES] PEDAL_ALIGNED;
    float z[STEPS * Z_ROWS * LANES] PEDAL_ALIGNED, delta[STEPS * DELTA_FLOATS] PEDAL_ALIGNED;
    memset(sums, 0, sizeof sums);
    memset(bias_sums, 0, sizeof bias_sums);
    memset(head_sums, 0, sizeof head_sums);
    memset(z, 0, sizeof z);
    states_to_lanes(d_states, d_lanes);
    const float *kept = history + (steps + 1) * STATE_FLOATS;
    size_t filled = 0;
    for (size_t t = steps; t-- > 0;) {
        const float *before = history + t * STATE_FLOATS, *after = before + STATE_FLOATS;
        float *d = delta + filled * DELTA_FLOATS, *z_now = z + filled * Z_ROWS * LANES;
        to_lanes(C, x + t * C, x_stride, z_now);
        memcpy(z_now + INPUT_ROWS * LANES, before, H * LANES * sizeof *before);
        output_gradient(head, after, d_out + t * (head ? 1 : H), out_stride, d_hidden, head_sums);
        gradients_of_sums(kept + t * KEPT_FLOATS, before, after, d_hidden, d_lanes, d, bias_sums);
        add_transpose_product(H, weights + C * ROWS, d, SUMS - 1, d_lanes);
        float back[C * LANES] PEDAL_ALIGNED;
        memset(back, 0, sizeof back);
        add_transpose_product(C, weights, d, GATES - 1, back);
        from_lanes(C, back, d_x + t * C, x_stride);
        if (++filled == STEPS || t == 0) {
            add_outer(filled, z, delta, sums);
            filled = 0;
        }
    }
    for (size_t k = 0; k < C + H; k++)
        for (size_t n = 0; n < ROWS; n++)
            d_weights[k * ROWS + n] = lane_sum(sums[(k < C ? k : k - C + INPUT_ROWS) * ROWS + n]);
    for (size_t n = 0; n < H * SUMS; n++) d_bias[n] = lane_sum(bias_sums[n]);
    if (head)
        for (size_t u = 0; u < H; u++) d_head[u] = lane_sum(head_sums[u]);
    states_from_lanes(d_lanes, d_states);
}
