/* A WaveNet over one track, forwards and backwards: signals are (channels, time), time is what vectors are made of.
 *
 * wavenet_shape.h is generated: PEDAL_SHAPES lists the kinds of layers (each becomes a function of constant sizes),
 * PEDAL_LAYERS the layers with their dilations, PEDAL_ARRAYS the arrays. Weights lie one after another as in
 * contract/wavenet_weights.py, gradients likewise. A signal's row is as long as the block, rounded up to whole vectors;
 * where a convolution reads the past, it stands in front of the row.
 *
 * The gradient stops at the beginning of the block: the past is given, and what made it is not asked.
 */
#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
enum { WIDTH = 16 };
#elif defined(__AVX__)
enum { WIDTH = 8 };
#else
enum { WIDTH = 4 };
#endif

/* Rows begin on multiples of this many floats. */
enum { ROUND = 16, TILE = 4 };
enum { TANH, RELU, LEAKY_RELU };

typedef float vec __attribute__((vector_size(WIDTH * 4)));
typedef float loose __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
typedef int ivec __attribute__((vector_size(WIDTH * 4)));

#define PEDAL_INLINE static inline __attribute__((always_inline))

typedef struct layer_shape layer_shape;
typedef void forward_function(size_t n, size_t dilation, const float *x, size_t x_row, const float *condition,
                              const float *weights, float *activated, size_t row, float *next, size_t next_row,
                              float *total, size_t total_row);
typedef void backward_function(size_t n, size_t dilation, const float *x, size_t x_row, const float *condition,
                               const float *weights, const float *activated, size_t row, const float *d_total,
                               float *d_next, float *d_sums, size_t d_sums_row, float *d_weights);

struct layer_shape {
    size_t channels, sums, taps, dilation;
    int gated;
    forward_function *forward;
    backward_function *backward;
};

typedef struct { size_t inputs, channels, head_size, head_taps, head_bias, layers; } array_shape;

PEDAL_INLINE vec get(const float *p) { return *(const loose *)p; }
PEDAL_INLINE void put(float *p, vec v) { *(loose *)p = v; }
PEDAL_INLINE vec spread(float x) { return (vec){ 0 } + x; }

PEDAL_INLINE float sum_of(vec v) {
    float total = 0.0f;
    for (int n = 0; n < WIDTH; n++) total += v[n];
    return total;
}

PEDAL_INLINE vec choose(ivec which, vec yes, vec no) { return (vec)((which & (ivec)yes) | (~which & (ivec)no)); }

/* Rational, degrees 7 and 6, clamped to |x| <= 7: largest error 1.7e-6. Fitted to the least largest error. */
PEDAL_INLINE vec tangent(vec x) {
    static const float p[] = { 9.99995688e-01f, 1.23021833e-01f, 2.27698923e-03f, 3.93001435e-06f };
    static const float q[] = { 1.0f, 4.56340318e-01f, 2.10721813e-02f, 1.42350880e-04f };
    x = choose(x > 7.0f, spread(7.0f), x);
    x = choose(x < -7.0f, spread(-7.0f), x);
    vec u = x * x;
    vec above = ((p[3] * u + p[2]) * u + p[1]) * u + p[0];
    vec below = ((q[3] * u + q[2]) * u + q[1]) * u + 1.0f;
    return x * above / below;
}

PEDAL_INLINE vec activation(int kind, vec x) {
    if (kind == TANH) return tangent(x);
    return choose(x > 0.0f, x, x * (kind == LEAKY_RELU ? 0.01f : 0.0f));
}

/* The slope where the activation came out as y. */
PEDAL_INLINE vec slope(int kind, vec y) {
    if (kind == TANH) return 1.0f - y * y;
    return choose(y > 0.0f, spread(1.0f), spread(kind == LEAKY_RELU ? 0.01f : 0.0f));
}

PEDAL_INLINE vec logistic(vec x) { return 0.5f * tangent(0.5f * x) + 0.5f; }

/* One layer's sums, activations (sums rows: with a gate its sigmoids follow), what goes on, and what is added to total. */
PEDAL_INLINE void layer_forward(const int C, const int M, const int K, const int kind, size_t n, size_t dilation,
                                const float *x, size_t x_row, const float *condition, const float *weights,
                                float *activated, size_t row, float *next, size_t next_row, float *total,
                                size_t total_row) {
    const float *bias = weights + K * C * M, *mixin = bias + M, *mix = mixin + M, *mix_bias = mix + C * C;
    for (size_t t = 0; t < n; t += WIDTH) {
        vec sums[M], heard = get(condition + t);
        for (int o = 0; o < M; o++) sums[o] = bias[o] + mixin[o] * heard;
#pragma GCC unroll 1
        for (int k = 0; k < K; k++) {
            const float *from = x + t - (size_t)(K - 1 - k) * dilation, *w = weights + k * C * M;
            for (int i = 0; i < C; i++) {
                vec v = get(from + i * x_row);
                for (int o = 0; o < M; o++) sums[o] += w[i * M + o] * v;
            }
        }
        vec out[C];
        for (int i = 0; i < C; i++) out[i] = get(x + i * x_row + t) + mix_bias[i];
        for (int o = 0; o < C; o++) {
            vec a = activation(kind, sums[o]);
            put(activated + o * row + t, a);
            if (M > C) {
                vec gate = logistic(sums[M - C + o]);
                put(activated + (C + o) * row + t, gate);
                a *= gate;
            }
            put(total + o * total_row + t, get(total + o * total_row + t) + a);
            for (int i = 0; i < C; i++) out[i] += mix[o * C + i] * a;
        }
        for (int i = 0; i < C; i++) put(next + i * next_row + t, out[i]);
    }
}

/* sums[i][o] += x_i . y_o over n samples, for rows of x and of y; at most TILE of each. */
PEDAL_INLINE void tile_products(const int I, const int O, size_t n, const float *x, size_t x_row, const float *y,
                                size_t y_row, float *sums, size_t stride) {
    vec acc[TILE][TILE];
    for (int i = 0; i < I; i++)
        for (int o = 0; o < O; o++) acc[i][o] = (vec){ 0 };
    for (size_t t = 0; t < n; t += WIDTH) {
        vec left[TILE];
        for (int i = 0; i < I; i++) left[i] = get(x + i * x_row + t);
        for (int o = 0; o < O; o++) {
            vec right = get(y + o * y_row + t);
            for (int i = 0; i < I; i++) acc[i][o] += left[i] * right;
        }
    }
    for (int i = 0; i < I; i++)
        for (int o = 0; o < O; o++) sums[i * stride + o] += sum_of(acc[i][o]);
}

PEDAL_INLINE void products_of_rows(const int I, const int rows, size_t n, const float *x, size_t x_row, const float *y,
                                   size_t y_row, float *sums, size_t stride) {
    int o = 0;
    for (; o + TILE <= rows; o += TILE) tile_products(I, TILE, n, x, x_row, y + o * y_row, y_row, sums + o, stride);
    if (rows % TILE) tile_products(I, rows % TILE, n, x, x_row, y + o * y_row, y_row, sums + o, stride);
}

/* sums (A, B) += the products of every row of x (A, time) with every row of y (B, time). */
PEDAL_INLINE void products(const int A, const int B, size_t n, const float *x, size_t x_row, const float *y,
                           size_t y_row, float *sums) {
    int i = 0;
    for (; i + TILE <= A; i += TILE) products_of_rows(TILE, B, n, x + i * x_row, x_row, y, y_row, sums + i * B, B);
    if (A % TILE) products_of_rows(A % TILE, B, n, x + i * x_row, x_row, y, y_row, sums + i * B, B);
}

static float row_sum(const float *x, size_t n) {
    vec total = { 0 };
    for (size_t t = 0; t < n; t += WIDTH) total += get(x + t);
    return sum_of(total);
}

static float row_product(const float *x, const float *y, size_t n) {
    vec total = { 0 };
    for (size_t t = 0; t < n; t += WIDTH) total += get(x + t) * get(y + t);
    return sum_of(total);
}

/* d_next: gradient of what went on; becomes that of x. d_sums: working memory, its rows followed by the span in zeros. */
PEDAL_INLINE void layer_backward(const int C, const int M, const int K, const int kind, size_t n, size_t dilation,
                                 const float *x, size_t x_row, const float *condition, const float *weights,
                                 const float *activated, size_t row, const float *d_total, float *d_next,
                                 float *d_sums, size_t d_row, float *d_weights) {
    const float *mix = weights + K * C * M + 2 * M;
    float *d_bias = d_weights + K * C * M, *d_mixin = d_bias + M, *d_mix = d_mixin + M, *d_mix_bias = d_mix + C * C;
    for (size_t t = 0; t < n; t += WIDTH) {
        vec back[C];
        for (int i = 0; i < C; i++) back[i] = get(d_next + i * row + t);
        for (int o = 0; o < C; o++) {
            vec d = get(d_total + o * row + t), a = get(activated + o * row + t);
            for (int i = 0; i < C; i++) d += mix[o * C + i] * back[i];
            if (M > C) {
                vec gate = get(activated + (C + o) * row + t);
                put(d_sums + (M - C + o) * d_row + t, d * a * gate * (1.0f - gate));
                d *= gate;
            }
            put(d_sums + o * d_row + t, d * slope(kind, a));
        }
    }
    for (int o = 0; o < M; o++) {
        d_bias[o] += row_sum(d_sums + o * d_row, n);
        d_mixin[o] += row_product(d_sums + o * d_row, condition, n);
        memset(d_sums + o * d_row + n, 0, (size_t)(K - 1) * dilation * sizeof(float));
    }
    for (int i = 0; i < C; i++) d_mix_bias[i] += row_sum(d_next + i * row, n);
    if (M == C) products(C, C, n, activated, row, d_next, row, d_mix);
    else
        for (int o = 0; o < C; o++)
            for (int i = 0; i < C; i++) {
                vec total = { 0 };
                for (size_t t = 0; t < n; t += WIDTH)
                    total += get(activated + o * row + t) * get(activated + (C + o) * row + t) * get(d_next + i * row + t);
                d_mix[o * C + i] += sum_of(total);
            }
    for (int k = 0; k < K; k++)
        products(C, M, n, x - (size_t)(K - 1 - k) * dilation, x_row, d_sums, d_row, d_weights + k * C * M);
    for (size_t t = 0; t < n; t += WIDTH) {
        vec back[C];
        for (int i = 0; i < C; i++) back[i] = get(d_next + i * row + t);
#pragma GCC unroll 1
        for (int k = 0; k < K; k++) {
            const float *from = d_sums + t + (size_t)(K - 1 - k) * dilation, *w = weights + k * C * M;
            for (int o = 0; o < M; o++) {
                vec d = get(from + o * d_row);
                for (int i = 0; i < C; i++) back[i] += w[i * M + o] * d;
            }
        }
        for (int i = 0; i < C; i++) put(d_next + i * row + t, back[i]);
    }
}

#define SHAPE(name, C, M, K, kind)                                                                                     \
    static void forward_##name(size_t n, size_t dilation, const float *x, size_t x_row, const float *condition,       \
                               const float *weights, float *activated, size_t row, float *next, size_t next_row,      \
                               float *total, size_t total_row) {                                                      \
        layer_forward(C, M, K, kind, n, dilation, x, x_row, condition, weights, activated, row, next, next_row,       \
                      total, total_row);                                                                              \
    }                                                                                                                  \
    static void backward_##name(size_t n, size_t dilation, const float *x, size_t x_row, const float *condition,      \
                                const float *weights, const float *activated, size_t row, const float *d_total,       \
                                float *d_next, float *d_sums, size_t d_row, float *d_weights) {                       \
        layer_backward(C, M, K, kind, n, dilation, x, x_row, condition, weights, activated, row, d_total, d_next,     \
                       d_sums, d_row, d_weights);                                                                     \
    }
PEDAL_SHAPES(SHAPE)

#define LAYER(name, C, M, K, dilation) { C, M, K, dilation, M > C, forward_##name, backward_##name },
static const layer_shape LAYERS[] = { PEDAL_LAYERS(LAYER) };

#define ARRAY(inputs, C, head_size, head_taps, head_bias, layers) { inputs, C, head_size, head_taps, head_bias, layers },
static const array_shape ARRAYS[] = { PEDAL_ARRAYS(ARRAY) };
enum { NUM_ARRAYS = sizeof ARRAYS / sizeof *ARRAYS, NUM_LAYERS = sizeof LAYERS / sizeof *LAYERS };

static size_t rounded(size_t n) { return (n + ROUND - 1) / ROUND * ROUND; }
static size_t span_of(const layer_shape *layer) { return (layer->taps - 1) * layer->dilation; }
static size_t x_row_of(const layer_shape *layer, size_t n) { return rounded(span_of(layer)) + rounded(n); }
static size_t head_row_of(const array_shape *array, size_t n) { return rounded(array->head_taps - 1) + rounded(n); }

static size_t weights_of(const layer_shape *layer) {
    size_t c = layer->channels, m = layer->sums;
    return layer->taps * c * m + 2 * m + c * c + c;
}

/* Floats that a forward pass of n samples leaves for its backward pass. */
size_t pedal_history_floats(size_t n) {
    size_t floats = 2 * rounded(n), layer = 0;
    for (size_t a = 0; a < NUM_ARRAYS; a++) {
        floats += ARRAYS[a].channels * (rounded(n) + head_row_of(&ARRAYS[a], n));
        for (size_t end = layer + ARRAYS[a].layers; layer < end; layer++)
            floats += LAYERS[layer].channels * x_row_of(&LAYERS[layer], n) + LAYERS[layer].sums * rounded(n);
    }
    return floats;
}

/* Where everything lies in the record of a forward pass. */
typedef struct {
    float *condition, *out, *x[NUM_LAYERS], *activated[NUM_LAYERS], *last[NUM_ARRAYS], *total[NUM_ARRAYS];
} places;

static void find_places(size_t n, float *record, places *at) {
    at->condition = record;
    at->out = record + rounded(n);
    record += 2 * rounded(n);
    for (size_t a = 0, layer = 0; a < NUM_ARRAYS; a++) {
        for (size_t end = layer + ARRAYS[a].layers; layer < end; layer++) {
            at->x[layer] = record + rounded(span_of(&LAYERS[layer]));
            record += LAYERS[layer].channels * x_row_of(&LAYERS[layer], n);
            at->activated[layer] = record;
            record += LAYERS[layer].sums * rounded(n);
        }
        at->last[a] = record;
        record += ARRAYS[a].channels * rounded(n);
        at->total[a] = record + rounded(ARRAYS[a].head_taps - 1);
        record += ARRAYS[a].channels * head_row_of(&ARRAYS[a], n);
    }
}

/* out (B, n) = in (A, n) by matrix (A, B). */
static void multiply(size_t A, size_t B, size_t n, const float *in, size_t in_row, const float *matrix, float *out,
                     size_t out_row) {
    for (size_t b = 0; b < B; b++)
        for (size_t t = 0; t < n; t += WIDTH) {
            vec sum = { 0 };
            for (size_t a = 0; a < A; a++) sum += matrix[a * B + b] * get(in + a * in_row + t);
            put(out + b * out_row + t, sum);
        }
}

static const float *take_past(const float *state, size_t channels, size_t span, float *x, size_t row) {
    for (size_t i = 0; i < channels; i++, state += span) memcpy(x + i * row - span, state, span * sizeof(float));
    return state;
}

static float *give_past(float *state, size_t channels, size_t span, const float *x, size_t row, size_t n) {
    for (size_t i = 0; i < channels; i++, state += span) memcpy(state, x + i * row + n - span, span * sizeof(float));
    return state;
}

/* The head of an array: out (head_size, n), its rows as far apart as those of the next array's total. */
static void head_forward(const array_shape *array, size_t n, const float *total, size_t row, const float *weights,
                         float *out, size_t out_row) {
    const float *bias = weights + array->head_taps * array->channels * array->head_size;
    for (size_t o = 0; o < array->head_size; o++)
        for (size_t t = 0; t < n; t += WIDTH) {
            vec sum = spread(array->head_bias ? bias[o] : 0.0f);
            for (size_t k = 0; k < array->head_taps; k++)
                for (size_t i = 0; i < array->channels; i++)
                    sum += weights[(k * array->channels + i) * array->head_size + o]
                           * get(total + i * row + t - (array->head_taps - 1 - k));
            put(out + o * out_row + t, sum);
        }
}

/* One track: x (n,) from state, to out (n,), before scale and skip. record: pedal_history_floats(n) floats, kept for
 * the backward pass. state and after: the pasts of all convolutions, layer by layer and then the head, each (C, span). */
void pedal_forward(size_t n, const float *x, const float *state, const float *weights, float *out, float *after,
                   float *record) {
    places at;
    size_t padded = rounded(n), layer = 0;
    find_places(n, record, &at);
    memcpy(at.condition, x, n * sizeof(float));
    memset(at.condition + n, 0, (padded - n) * sizeof(float));
    for (size_t c = 0; c < ARRAYS[0].channels; c++) memset(at.total[0] + c * head_row_of(&ARRAYS[0], n), 0, padded * 4);
    for (size_t a = 0; a < NUM_ARRAYS; a++) {
        const array_shape *array = &ARRAYS[a];
        size_t c = array->channels, total_row = head_row_of(array, n), end = layer + array->layers;
        multiply(array->inputs, c, padded, a ? at.last[a - 1] : at.condition, padded, weights, at.x[layer],
                 x_row_of(&LAYERS[layer], n));
        weights += array->inputs * c;
        for (; layer < end; layer++) {
            const layer_shape *shape = &LAYERS[layer];
            size_t row = x_row_of(shape, n), is_last = layer + 1 == end;
            state = take_past(state, c, span_of(shape), at.x[layer], row);
            shape->forward(padded, shape->dilation, at.x[layer], row, at.condition, weights, at.activated[layer], padded,
                           is_last ? at.last[a] : at.x[layer + 1],
                           is_last ? padded : x_row_of(&LAYERS[layer + 1], n), at.total[a], total_row);
            after = give_past(after, c, span_of(shape), at.x[layer], row, n);
            weights += weights_of(shape);
        }
        state = take_past(state, c, array->head_taps - 1, at.total[a], total_row);
        head_forward(array, padded, at.total[a], total_row, weights, a + 1 < NUM_ARRAYS ? at.total[a + 1] : at.out,
                     a + 1 < NUM_ARRAYS ? head_row_of(&ARRAYS[a + 1], n) : padded);
        after = give_past(after, c, array->head_taps - 1, at.total[a], total_row, n);
        weights += array->head_taps * c * array->head_size + (array->head_bias ? array->head_size : 0);
    }
    memcpy(out, at.out, n * sizeof(float));
}

enum { MOST_CHANNELS = PEDAL_MOST_CHANNELS, HEAD_TAIL = 64 };

static size_t longest_span(void) {
    size_t longest = 0;
    for (size_t layer = 0; layer < NUM_LAYERS; layer++)
        if (span_of(&LAYERS[layer]) > longest) longest = span_of(&LAYERS[layer]);
    return longest;
}

static size_t d_sums_row(size_t n) { return rounded(n) + rounded(longest_span()); }

/* Floats of working memory for a backward pass over n samples. */
size_t pedal_scratch_floats(size_t n) {
    return MOST_CHANNELS * (3 * rounded(n) + rounded(n) + HEAD_TAIL + 2 * d_sums_row(n));
}

/* d_total (channels, n) and the gradients of a head's weights; d_out (head_size, n), each row followed by zeros. */
static void head_backward(const array_shape *array, size_t n, const float *total, size_t total_row,
                          const float *weights, const float *d_out, size_t d_row, float *d_total, float *d_weights) {
    size_t c = array->channels, size = array->head_size;
    for (size_t i = 0; i < c; i++)
        for (size_t t = 0; t < n; t += WIDTH) {
            vec sum = { 0 };
            for (size_t k = 0; k < array->head_taps; k++)
                for (size_t o = 0; o < size; o++)
                    sum += weights[(k * c + i) * size + o] * get(d_out + o * d_row + t + array->head_taps - 1 - k);
            put(d_total + i * n + t, sum);
        }
    for (size_t k = 0; k < array->head_taps; k++)
        for (size_t i = 0; i < c; i++)
            for (size_t o = 0; o < size; o++)
                d_weights[(k * c + i) * size + o] +=
                    row_product(total + i * total_row - (array->head_taps - 1 - k), d_out + o * d_row, n);
    if (array->head_bias)
        for (size_t o = 0; o < size; o++) d_weights[array->head_taps * c * size + o] += row_sum(d_out + o * d_row, n);
}

/* Where the weights of each part begin. */
typedef struct { size_t entry[NUM_ARRAYS], layer[NUM_LAYERS], head[NUM_ARRAYS]; } offsets;

static void find_offsets(offsets *at) {
    size_t next = 0, layer = 0;
    for (size_t a = 0; a < NUM_ARRAYS; a++) {
        const array_shape *array = &ARRAYS[a];
        at->entry[a] = next;
        next += array->inputs * array->channels;
        for (size_t end = layer + array->layers; layer < end; layer++) {
            at->layer[layer] = next;
            next += weights_of(&LAYERS[layer]);
        }
        at->head[a] = next;
        next += array->head_taps * array->channels * array->head_size + (array->head_bias ? array->head_size : 0);
    }
}

/* Adds to d_weights the gradient that d_out (n,) gives every weight. record: of the forward pass. */
void pedal_backward(size_t n, const float *weights, float *record, const float *d_out, float *scratch,
                    float *d_weights) {
    places at;
    offsets of;
    size_t padded = rounded(n), head_row = padded + HEAD_TAIL, layer = NUM_LAYERS;
    float *d_next = scratch, *d_spare = d_next + MOST_CHANNELS * padded, *d_total = d_spare + MOST_CHANNELS * padded;
    float *d_head = d_total + MOST_CHANNELS * padded, *d_sums = d_head + MOST_CHANNELS * head_row;
    find_places(n, record, &at);
    find_offsets(&of);
    memset(d_next, 0, MOST_CHANNELS * padded * sizeof(float));
    memset(d_head, 0, MOST_CHANNELS * head_row * sizeof(float));
    memcpy(d_head, d_out, n * sizeof(float));
    for (size_t a = NUM_ARRAYS; a-- > 0;) {
        const array_shape *array = &ARRAYS[a];
        size_t c = array->channels, first = layer - array->layers;
        head_backward(array, padded, at.total[a], head_row_of(array, n), weights + of.head[a], d_head, head_row,
                      d_total, d_weights + of.head[a]);
        while (layer-- > first) {
            const layer_shape *shape = &LAYERS[layer];
            shape->backward(padded, shape->dilation, at.x[layer], x_row_of(shape, n), at.condition,
                            weights + of.layer[layer], at.activated[layer], padded, d_total, d_next, d_sums,
                            d_sums_row(n), d_weights + of.layer[layer]);
        }
        layer = first;
        const float *in = a ? at.last[a - 1] : at.condition, *entry = weights + of.entry[a];
        for (size_t i = 0; i < array->inputs; i++)
            for (size_t o = 0; o < c; o++)
                d_weights[of.entry[a] + i * c + o] += row_product(in + i * padded, d_next + o * padded, padded);
        if (!a) break;
        for (size_t i = 0; i < array->inputs; i++)
            for (size_t t = 0; t < padded; t += WIDTH) {
                vec sum = { 0 };
                for (size_t o = 0; o < c; o++) sum += entry[i * c + o] * get(d_next + o * padded + t);
                put(d_spare + i * padded + t, sum);
            }
        /* What an array's total began with is the head of the array before. */
        for (size_t o = 0; o < c; o++) memcpy(d_head + o * head_row, d_total + o * padded, padded * sizeof(float));
        float *swap = d_next;
        d_next = d_spare;
        d_spare = swap;
    }
}
