/* Float arithmetic for machines with vectors: a unit in each lane, its four gates in four vectors.
 *
 * A sample waits for the one before it: state, sums, gates, cell, tanh, state. Everything here shortens that chain. Sums
 * run in eight chains of additions. Sigmoids and tanh are fractions, n / d, and are multiplied before they are divided.
 * Weights lie in the order in which they are read; large networks hold them in 16 bits, as many again fit the cache.
 */
#include "pedal_audio.h"
#include "pedal_lanes.h"
#include "pedal_vector.h"

typedef struct {
    pedal_floats numerator, denominator;
} pedal_fraction;

/* tanh, within 6.3e-6. */
PEDAL_INLINE pedal_fraction pedal_tanh_fraction(pedal_floats argument)
{
    const pedal_floats x = pedal_limit_lanes(argument, 6.0f);
    const pedal_floats u = x * x, u2 = u * u;
    const pedal_floats p = (pedal_splat(0.999971157f) + pedal_splat(0.114472777f) * u) + pedal_splat(0.00149555653f) * u2;
    const pedal_floats q = (pedal_splat(1.0f) + pedal_splat(0.447714152f) * u) +
                           u2 * (pedal_splat(0.0174874246f) + pedal_splat(5.51862042e-05f) * u);
    const pedal_fraction result = {x * p, q};
    return result;
}

/* exp, within 5e-6 of its size. */
PEDAL_INLINE pedal_floats pedal_exp_lanes(pedal_floats argument)
{
    const pedal_floats x = pedal_limit_lanes(argument, 30.0f), magic = pedal_splat(12582912.0f);
    /* Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the last bits. */
    const pedal_floats moved = x * pedal_splat(1.44269502f) + magic;
    const pedal_floats r = x - (moved - magic) * pedal_splat(0.693147182f);
    const pedal_floats r2 = r * r;
    const pedal_floats e = (pedal_splat(1.0f) + r) +
                           r2 * ((pedal_splat(0.499999f) + pedal_splat(0.1666666f) * r) + pedal_splat(0.0416666f) * r2);
    return (pedal_floats)((pedal_ints)e + ((pedal_ints)moved << 23));
}

/* A group's step from its gates' sums: updates the cells and returns the hidden states.
 *
 * 1 - f is the sigmoid of minus the argument: a cell with a forget gate of 0.9999 is decided by 1 - 0.9999, and the
 * exponential gives that as exactly as any other.
 */
PEDAL_INLINE pedal_floats pedal_step_group(const pedal_floats sums[4], float *cells)
{
    const pedal_fraction i = pedal_tanh_fraction(sums[0]), g = pedal_tanh_fraction(sums[2]);
    const pedal_fraction o = pedal_tanh_fraction(sums[3]);
    const pedal_floats forgetting = pedal_splat(1.0f) + pedal_exp_lanes(sums[1]);
    const pedal_floats old = pedal_load(cells);
    const pedal_floats written = (i.numerator + i.denominator) * (g.numerator * pedal_splat(0.5f));
    const pedal_floats scale = i.denominator * g.denominator;
#if PEDAL_NEON
    /* Small cores divide one vector at a time. */
    const pedal_floats cell = old + (written * forgetting - old * scale) / (scale * forgetting);
#else
    const pedal_floats cell = (old + written / scale) - old / forgetting;
#endif
    pedal_store(cells, cell);
    const pedal_fraction c = pedal_tanh_fraction(cell);
    return (o.numerator + o.denominator) * c.numerator / ((o.denominator + o.denominator) * c.denominator);
}

/* Adds weights times states to a group's four sums; weights of the group, states of a whole layer. */
#if PEDAL_INT16_WEIGHTS
PEDAL_INLINE void pedal_add_products(pedal_floats sums[4], const pedal_weight *weights, const float *steps,
                                     const pedal_hidden *states)
{
    for (int first = 0; first < 2 * PEDAL_PAIRS; first += PEDAL_SEGMENT, steps += 4 * PEDAL_LANES) {
        const int last = first + PEDAL_SEGMENT < 2 * PEDAL_PAIRS ? first + PEDAL_SEGMENT : 2 * PEDAL_PAIRS;
        pedal_ints whole[4] = {{0}, {0}, {0}, {0}};
#pragma GCC unroll 16
        for (int k = first; k < last; k += 2, weights += 8 * PEDAL_LANES)
            for (int gate = 0; gate < 4; gate++)
                whole[gate] = pedal_add_pairs(whole[gate], weights + 2 * gate * PEDAL_LANES, states + k);
        for (int gate = 0; gate < 4; gate++)
            sums[gate] += pedal_to_floats(whole[gate]) * pedal_load(steps + gate * PEDAL_LANES);
    }
}
#else
PEDAL_INLINE void pedal_add_products(pedal_floats sums[4], const pedal_weight *weights, const float *steps,
                                     const pedal_hidden *states)
{
    (void)steps;
    pedal_floats odd[4] = {{0}, {0}, {0}, {0}};
    int k = 0;
#pragma GCC unroll 8
    for (; k + 1 < PEDAL_HIDDEN; k += 2, weights += 8 * PEDAL_LANES) {
        const pedal_floats first = pedal_splat(states[k]), second = pedal_splat(states[k + 1]);
        for (int gate = 0; gate < 4; gate++) {
            sums[gate] += pedal_load(weights + gate * PEDAL_LANES) * first;
            odd[gate] += pedal_load(weights + (4 + gate) * PEDAL_LANES) * second;
        }
    }
    if (PEDAL_HIDDEN % 2)
        for (int gate = 0; gate < 4; gate++)
            sums[gate] += pedal_load(weights + gate * PEDAL_LANES) * pedal_splat(states[k]);
    for (int gate = 0; gate < 4; gate++)
        sums[gate] += odd[gate];
}
#endif

/* A layer's tables. kernel and its steps are those of the second layer. */
typedef struct {
    const float *bias;
    const pedal_weight *kernel, *recurrent;
    const float *kernel_steps, *recurrent_steps;
} pedal_layer_tables;

PEDAL_INLINE void pedal_store_hidden(pedal_hidden *hidden, pedal_floats x)
{
#if PEDAL_INT16_WEIGHTS
    pedal_store_shorts(hidden, x);
#else
    pedal_store(hidden, x);
#endif
}

#define PEDAL_GROUP_WEIGHTS (PEDAL_WEIGHTS / PEDAL_GROUPS)
#if PEDAL_INT16_WEIGHTS
#define PEDAL_GROUP_STEPS (4 * PEDAL_LANES * PEDAL_SEGMENTS)
#define PEDAL_TABLE_STEPS(name) name
#else
#define PEDAL_GROUP_STEPS 0
#define PEDAL_TABLE_STEPS(name) 0
#endif

/* One sample through one layer, from the hidden states at parity `now` to those at the other; returns what the head sums.
 * heard: the hidden states of the layer below, or 0 for the first layer, which hears x. */
PEDAL_INLINE pedal_floats pedal_step_layer(pedal_layer_state *layer, int now, const pedal_layer_tables *tables, float x,
                                           const pedal_hidden *heard)
{
    const pedal_hidden *old = layer->hidden[now];
    pedal_hidden *next = layer->hidden[!now];
    pedal_floats answer = {0};
    for (int group = 0; group < PEDAL_GROUPS; group++) {
        pedal_floats sums[4];
        for (int gate = 0; gate < 4; gate++) {
            const int row = (4 * group + gate) * PEDAL_LANES;
            sums[gate] = pedal_load(tables->bias + row);
            if (!heard)
                sums[gate] += pedal_load(pedal_layer0_kernel + row) * pedal_splat(x);
        }
        pedal_add_products(sums, tables->recurrent + group * PEDAL_GROUP_WEIGHTS,
                           tables->recurrent_steps + group * PEDAL_GROUP_STEPS, old);
        if (heard)
            pedal_add_products(sums, tables->kernel + group * PEDAL_GROUP_WEIGHTS,
                               tables->kernel_steps + group * PEDAL_GROUP_STEPS, heard);
        const pedal_floats hidden = pedal_step_group(sums, layer->cell + group * PEDAL_LANES);
        pedal_store_hidden(next + group * PEDAL_LANES, hidden);
        answer += hidden * pedal_load(pedal_head_weights + group * PEDAL_LANES);
    }
    return answer;
}

PEDAL_INLINE float pedal_step(pedal_state *state, int now, float x)
{
    static const pedal_layer_tables first = {pedal_layer0_bias, 0, pedal_layer0_recurrent, 0,
                                             PEDAL_TABLE_STEPS(pedal_layer0_recurrent_steps)};
    pedal_floats answer = pedal_step_layer(&state->layers[0], now, &first, x, 0);
#if PEDAL_LAYERS > 1
    static const pedal_layer_tables second = {pedal_layer1_bias, pedal_layer1_kernel, pedal_layer1_recurrent,
                                              PEDAL_TABLE_STEPS(pedal_layer1_kernel_steps),
                                              PEDAL_TABLE_STEPS(pedal_layer1_recurrent_steps)};
    answer = pedal_step_layer(&state->layers[1], now, &second, x, state->layers[0].hidden[!now]);
#endif
    return pedal_sum_lanes(answer) + PEDAL_HEAD_BIAS + (PEDAL_SKIP ? x : 0.0f);
}

void pedal_init(pedal_state *state)
{
    memset(state, 0, sizeof *state);
}

void pedal_reset(pedal_state *state)
{
    pedal_init(state);
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    const uint64_t before = pedal_flush_denormals();
    size_t t = 0;
    for (; t + 1 < n; t += 2) {
        out[t] = pedal_decode(pedal_step(state, 0, pedal_encode(in[t])));
        out[t + 1] = pedal_decode(pedal_step(state, 1, pedal_encode(in[t + 1])));
    }
    if (t < n) {
        out[t] = pedal_decode(pedal_step(state, 0, pedal_encode(in[t])));
        for (int layer = 0; layer < PEDAL_LAYERS; layer++)
            memcpy(state->layers[layer].hidden[0], state->layers[layer].hidden[1], sizeof state->layers[layer].hidden[0]);
    }
    pedal_restore_denormals(before);
}
