/* One LSTM layer forwards and backwards over many streams at once, for training on a CPU.
 *
 * Sixteen streams are the lanes of two vectors, so that every multiplication of a weight serves sixteen samples and no
 * vector ever needs to be summed across its lanes inside the loop over time. Sizes are compile-time constants:
 *   PEDAL_HIDDEN   H, units
 *   PEDAL_INPUTS   C, width of the input
 * The caller splits a batch into groups of sixteen streams (filling up with zeros) and may run groups on different
 * threads: nothing here is shared but the weights, which are read only.
 *
 * Gate order is i, f, g, o throughout. "Lanes" in a shape means [16] floats, innermost.
 * Plain GCC/Clang vector extensions: the compiler turns them into AVX2, NEON or scalars.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(PEDAL_HIDDEN) || !defined(PEDAL_INPUTS)
#error "define PEDAL_HIDDEN and PEDAL_INPUTS"
#endif

enum { H = PEDAL_HIDDEN, C = PEDAL_INPUTS, LANES = 16, HALF = 8, GATES = 4, ROWS = 4 * H, STEPS = 16 };

typedef float vec __attribute__((vector_size(32), aligned(32)));
typedef int32_t ivec __attribute__((vector_size(32), aligned(32)));

/* A pair of vectors: sixteen lanes. */
typedef struct { vec a, b; } lanes;

static inline lanes load(const float *p) { lanes r = { *(const vec *)p, *(const vec *)(p + HALF) }; return r; }
static inline void store(float *p, lanes v) { *(vec *)p = v.a; *(vec *)(p + HALF) = v.b; }

static inline vec select(ivec mask, vec yes, vec no) {
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* e^x, relative error below 3e-7 where the result is a normal float; clamped to |x| <= 80. */
static inline vec exponential(vec x) {
    const vec limit = (vec){ 0 } + 80.0f;
    x = select(x > limit, limit, x);
    x = select(x < -limit, -limit, x);
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    vec shifted = x * 1.44269504f + magic;
    vec whole = shifted - magic;
    /* ln 2 in two parts, so that the remainder is exact enough */
    vec rest = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    vec p = rest * 1.9875691e-4f + 1.3981999e-3f;
    p = p * rest + 8.3334519e-3f;
    p = p * rest + 4.1665796e-2f;
    p = p * rest + 1.6666665e-1f;
    p = p * rest + 5.0000000e-1f;
    p = p * rest * rest + rest + 1.0f;
    ivec power = ((ivec)shifted << 23) + 0x3f800000;
    return p * (vec)power;
}

static inline vec logistic(vec x) { return 1.0f / (1.0f + exponential(-x)); }
static inline vec tangent(vec x) { return 1.0f - 2.0f / (1.0f + exponential(2.0f * x)); }
static inline lanes logistic2(lanes x) { lanes r = { logistic(x.a), logistic(x.b) }; return r; }
static inline lanes tangent2(lanes x) { lanes r = { tangent(x.a), tangent(x.b) }; return r; }

/* Floats that one step of one group leaves for the backward pass: gates, cell, tanh(cell), each with lanes. */
enum { STEP_FLOATS = (GATES + 2) * H * LANES };

size_t pedal_lstm_history_floats(size_t steps) { return steps * STEP_FLOATS + (steps + 1) * H * LANES; }

/* Forward over one group.
 *   x        [16][T][C]   row stride in floats: x_stride
 *   h0, c0   [16][H]
 *   weights  [H units][C + H][4 gates]   bias [H][4]
 *   head     [H], or NULL
 *   out      [16][T][H]   h of every step, or with a head [16][T], the sum of head . h; row stride out_stride
 *   h, c     [16][H]      last states
 *   history  pedal_lstm_history_floats(T), 32-byte aligned, for the backward pass
 */
void pedal_lstm_forward(size_t steps, const float *x, size_t x_stride, const float *h0, const float *c0,
                        const float *weights, const float *bias, const float *head, float *out, size_t out_stride,
                        float *h_last, float *c_last, float *history) {
    float *hidden = history + steps * STEP_FLOATS; /* [T + 1][H] lanes, h before step t at index t */
    float cell[H * LANES] __attribute__((aligned(32)));
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t u = 0; u < H; u++) {
            hidden[u * LANES + lane] = h0[lane * H + u];
            cell[u * LANES + lane] = c0[lane * H + u];
        }
    for (size_t t = 0; t < steps; t++) {
        float input[C * LANES] __attribute__((aligned(32)));
        for (size_t k = 0; k < C; k++)
            for (size_t lane = 0; lane < LANES; lane++)
                input[k * LANES + lane] = x[lane * x_stride + t * C + k];
        const float *before = hidden + t * H * LANES;
        float *after = hidden + (t + 1) * H * LANES;
        float *step = history + t * STEP_FLOATS;
        for (size_t u = 0; u < H; u++) {
            lanes gate[GATES];
            const float *w = weights + u * (C + H) * GATES;
            for (size_t g = 0; g < GATES; g++) {
                gate[g].a = (vec){ 0 } + bias[u * GATES + g];
                gate[g].b = gate[g].a;
            }
            for (size_t k = 0; k < C + H; k++, w += GATES) {
                lanes z = load(k < C ? input + k * LANES : before + (k - C) * LANES);
                for (size_t g = 0; g < GATES; g++) {
                    gate[g].a += w[g] * z.a;
                    gate[g].b += w[g] * z.b;
                }
            }
            lanes i = logistic2(gate[0]), f = logistic2(gate[1]), g = tangent2(gate[2]), o = logistic2(gate[3]);
            lanes c = load(cell + u * LANES);
            c.a = f.a * c.a + i.a * g.a;
            c.b = f.b * c.b + i.b * g.b;
            lanes tc = tangent2(c);
            lanes h = { o.a * tc.a, o.b * tc.b };
            float *kept = step + u * (GATES + 2) * LANES;
            store(kept, i);
            store(kept + LANES, f);
            store(kept + 2 * LANES, g);
            store(kept + 3 * LANES, o);
            store(kept + 4 * LANES, c);
            store(kept + 5 * LANES, tc);
            store(cell + u * LANES, c);
            store(after + u * LANES, h);
        }
        if (head) {
            lanes sum = { { 0 }, { 0 } };
            for (size_t u = 0; u < H; u++) {
                lanes h = load(after + u * LANES);
                sum.a += head[u] * h.a;
                sum.b += head[u] * h.b;
            }
            float y[LANES] __attribute__((aligned(32)));
            store(y, sum);
            for (size_t lane = 0; lane < LANES; lane++) out[lane * out_stride + t] = y[lane];
        } else {
            for (size_t lane = 0; lane < LANES; lane++)
                for (size_t u = 0; u < H; u++)
                    out[lane * out_stride + t * H + u] = after[u * LANES + lane];
        }
    }
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t u = 0; u < H; u++) {
            h_last[lane * H + u] = hidden[steps * H * LANES + u * LANES + lane];
            c_last[lane * H + u] = cell[u * LANES + lane];
        }
}

/* sums[k][row] += z[k] . d[row] over a block of steps, lane by lane, for two k at a time. */
static void add_outer(size_t count, const float *z0, const float *z1, size_t z_stride, const float *d,
                      vec *sums0, vec *sums1) {
    for (size_t row = 0; row < ROWS; row += GATES) {
        vec s0[GATES] = { { 0 } }, s1[GATES] = { { 0 } };
        for (size_t n = 0; n < count; n++) {
            lanes a = load(z0 + n * z_stride), b = load(z1 + n * z_stride);
            const float *delta = d + (n * ROWS + row) * LANES;
            for (size_t g = 0; g < GATES; g++) {
                lanes v = load(delta + g * LANES);
                s0[g] += a.a * v.a + a.b * v.b;
                s1[g] += b.a * v.a + b.b * v.b;
            }
        }
        for (size_t g = 0; g < GATES; g++) {
            sums0[row + g] += s0[g];
            sums1[row + g] += s1[g];
        }
    }
}

static float lane_sum(vec v) {
    float total = 0.0f;
    for (int n = 0; n < HALF; n++) total += v[n];
    return total;
}

/* back[k] = sum over rows of weights_t[k][row] * d[row], four k at a time where there are four. */
static void transpose_product(size_t count, const float *weights_t, const float *d, float *back) {
    size_t k = 0;
    for (; k + 4 <= count; k += 4) {
        lanes s[4];
        memset(s, 0, sizeof s);
        for (size_t row = 0; row < ROWS; row++) {
            lanes v = load(d + row * LANES);
            for (size_t n = 0; n < 4; n++) {
                float w = weights_t[(k + n) * ROWS + row];
                s[n].a += w * v.a;
                s[n].b += w * v.b;
            }
        }
        for (size_t n = 0; n < 4; n++) store(back + (k + n) * LANES, s[n]);
    }
    for (; k < count; k++) {
        lanes s;
        memset(&s, 0, sizeof s);
        for (size_t row = 0; row < ROWS; row++) {
            lanes v = load(d + row * LANES);
            float w = weights_t[k * ROWS + row];
            s.a += w * v.a;
            s.b += w * v.b;
        }
        store(back + k * LANES, s);
    }
}

/* Backward over one group; history as the forward pass left it.
 *   head, d_head   [H], or both NULL; d_head is written
 *   d_out          [16][T][H]   gradient of every h, or with a head [16][T], of every sum; row stride out_stride
 *   d_h, d_c       [16][H]      in: gradients of the last states; out: of the first
 *   weights_t      [C + H][H units][4]
 *   d_x            [16][T][C]   row stride x_stride, or NULL
 *   d_weights      [C + H][H units][4], d_bias [H][4]: this group's sums are written
 */
void pedal_lstm_backward(size_t steps, const float *x, size_t x_stride, const float *c0, const float *weights_t,
                         const float *history, const float *head, const float *d_out, size_t out_stride, float *d_h,
                         float *d_c, float *d_x, float *d_weights, float *d_bias, float *d_head) {
    const float *hidden = history + steps * STEP_FLOATS;
    static const size_t z_rows = C + H + (C + H) % 2; /* even: add_outer takes two at a time */
    vec sums[(C + H + (C + H) % 2) * ROWS];
    vec bias_sums[ROWS], head_sums[H];
    float dh[(H + 4) * LANES] __attribute__((aligned(32))), dc[H * LANES] __attribute__((aligned(32)));
    float first_cell[H * LANES] __attribute__((aligned(32)));
    float delta[STEPS * ROWS * LANES] __attribute__((aligned(32)));
    float z[STEPS * (C + H + 1) * LANES] __attribute__((aligned(32)));
    memset(sums, 0, sizeof sums);
    memset(bias_sums, 0, sizeof bias_sums);
    memset(head_sums, 0, sizeof head_sums);
    memset(z, 0, sizeof z);
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t u = 0; u < H; u++) {
            dh[u * LANES + lane] = d_h[lane * H + u];
            dc[u * LANES + lane] = d_c[lane * H + u];
            first_cell[u * LANES + lane] = c0[lane * H + u];
        }
    size_t filled = 0;
    for (size_t t = steps; t-- > 0;) {
        const float *step = history + t * STEP_FLOATS;
        float *d = delta + filled * ROWS * LANES;
        float *row = z + filled * (C + H + 1) * LANES;
        float from_out[H * LANES] __attribute__((aligned(32)));
        if (head) {
            float dy[LANES] __attribute__((aligned(32)));
            for (size_t lane = 0; lane < LANES; lane++) dy[lane] = d_out[lane * out_stride + t];
            lanes v = load(dy);
            for (size_t u = 0; u < H; u++) {
                lanes h = load(hidden + ((t + 1) * H + u) * LANES), scaled = { head[u] * v.a, head[u] * v.b };
                store(from_out + u * LANES, scaled);
                head_sums[u] += h.a * v.a + h.b * v.b;
            }
        } else {
            for (size_t lane = 0; lane < LANES; lane++)
                for (size_t u = 0; u < H; u++)
                    from_out[u * LANES + lane] = d_out[lane * out_stride + t * H + u];
        }
        for (size_t k = 0; k < C; k++)
            for (size_t lane = 0; lane < LANES; lane++)
                row[k * LANES + lane] = x[lane * x_stride + t * C + k];
        memcpy(row + C * LANES, hidden + t * H * LANES, H * LANES * sizeof(float));
        for (size_t u = 0; u < H; u++) {
            const float *kept = step + u * (GATES + 2) * LANES;
            const float *c_before = t ? kept - STEP_FLOATS + 4 * LANES : first_cell + u * LANES;
            for (size_t half = 0; half < LANES; half += HALF) {
                vec i = *(const vec *)(kept + half), f = *(const vec *)(kept + LANES + half);
                vec g = *(const vec *)(kept + 2 * LANES + half), o = *(const vec *)(kept + 3 * LANES + half);
                vec tc = *(const vec *)(kept + 5 * LANES + half), cb = *(const vec *)(c_before + half);
                vec h_grad = *(vec *)(dh + u * LANES + half) + *(vec *)(from_out + u * LANES + half);
                vec c_grad = *(vec *)(dc + u * LANES + half) + h_grad * o * (1.0f - tc * tc);
                vec di = c_grad * g * i * (1.0f - i), df = c_grad * cb * f * (1.0f - f);
                vec dg = c_grad * i * (1.0f - g * g), d_o = h_grad * tc * o * (1.0f - o);
                float *to = d + u * GATES * LANES + half;
                *(vec *)to = di;
                *(vec *)(to + LANES) = df;
                *(vec *)(to + 2 * LANES) = dg;
                *(vec *)(to + 3 * LANES) = d_o;
                bias_sums[u * GATES] += di;
                bias_sums[u * GATES + 1] += df;
                bias_sums[u * GATES + 2] += dg;
                bias_sums[u * GATES + 3] += d_o;
                *(vec *)(dc + u * LANES + half) = c_grad * f;
            }
        }
        transpose_product(H, weights_t + C * ROWS, d, dh);
        if (d_x) {
            float back[(C + 4) * LANES] __attribute__((aligned(32)));
            transpose_product(C, weights_t, d, back);
            for (size_t lane = 0; lane < LANES; lane++)
                for (size_t k = 0; k < C; k++) d_x[lane * x_stride + t * C + k] = back[k * LANES + lane];
        }
        if (++filled == STEPS || t == 0) {
            for (size_t k = 0; k < z_rows; k += 2) {
                const float *first = z + k * LANES;
                add_outer(filled, first, first + LANES, (C + H + 1) * LANES, delta, sums + k * ROWS,
                          sums + (k + 1) * ROWS);
            }
            filled = 0;
        }
    }
    for (size_t n = 0; n < (C + H) * ROWS; n++) d_weights[n] = lane_sum(sums[n]);
    for (size_t n = 0; n < ROWS; n++) d_bias[n] = lane_sum(bias_sums[n]);
    if (head)
        for (size_t u = 0; u < H; u++) d_head[u] = lane_sum(head_sums[u]);
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t u = 0; u < H; u++) {
            d_h[lane * H + u] = dh[u * LANES + lane];
            d_c[lane * H + u] = dc[u * LANES + lane];
        }
}
