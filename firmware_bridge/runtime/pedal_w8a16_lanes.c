/* The scheme w8a16 for machines with vectors: a unit in each lane, the same bits as of pedal_w8a16.c.
 *
 * docs/integer-lstm.md of neuralpedal specifies every bit; names and letters are that page's. Sums may be formed in any
 * order, so weights lie as in the float kernel of 16 bits: two products per instruction, and nothing is summed across lanes.
 */
#include "pedal_audio.h"
#include "pedal_integer_lanes.h"
#include "pedal_w8a16_answer.h"
#include "pedal_w8a16_lanes.h"

#define PEDAL_CHUNKS (PEDAL_GROUPS / PEDAL_TOGETHER)
#define PEDAL_CHUNK_WEIGHTS (PEDAL_WEIGHTS / PEDAL_CHUNKS)

/* A layer: formats F and C, B, p of the first layer, the kernel of the second. */
typedef struct {
    int gate_bits, cell_bits;
    const int32_t *bias, *factors;
    pedal_matrix kernel, recurrent;
} pedal_layer_tables;

/* A layer while a block is played. One half of hidden holds the states of a sample, the other those of the next. */
typedef struct {
    pedal_ints cell[PEDAL_GROUPS];
    int16_t hidden[2][PEDAL_UNITS] __attribute__((aligned(64)));
} pedal_layer_work;

/* Sigmoid in Q0.31 of z with n fraction bits. */
PEDAL_INLINE pedal_ints pedal_sigmoid(pedal_ints z, int n)
{
    pedal_ints place = pedal_saturate_lanes(z, n + 5);
    if (n <= PEDAL_ARGUMENT_BITS)
        place *= INT32_C(1) << (PEDAL_ARGUMENT_BITS - n);
    else
        place >>= n - PEDAL_ARGUMENT_BITS;
    place += INT32_C(16) << PEDAL_ARGUMENT_BITS;
    const pedal_found found = pedal_look_up(pedal_sigmoid_table, place >> 15);
    return found.entry + pedal_multiply_wide_lanes(found.rise + found.rise, place & 32767);
}

/* Tanh in Q0.30: one fraction bit less doubles the argument. */
PEDAL_INLINE pedal_ints pedal_tanh(pedal_ints z, int n)
{
    return pedal_sigmoid(z, n - 1) - (INT32_C(1) << 30);
}

/* A group's step from its gates' pre-activations: updates the cells and returns the hidden states, not yet saturated. */
PEDAL_INLINE pedal_ints pedal_step_group(const pedal_ints z[4], pedal_ints *cell, const pedal_layer_tables *layer)
{
    const pedal_ints i = pedal_sigmoid(z[0], layer->gate_bits), f = pedal_sigmoid(z[1], layer->gate_bits);
    const pedal_ints g = pedal_tanh(z[2], layer->gate_bits), o = pedal_sigmoid(z[3], layer->gate_bits);
    const pedal_ints candidate = (g + (INT32_C(1) << (29 - layer->cell_bits))) >> (30 - layer->cell_bits);
    const pedal_ints c = pedal_saturate_lanes(pedal_mix_lanes(f, *cell, i, candidate), 31);
    *cell = c;
    /* (o * tanh + 2^45) >> 46: the low word cannot carry into what is kept. */
    return (pedal_multiply_high_lanes(o, pedal_tanh(c, layer->cell_bits)) + (1 << 13)) >> 14;
}

/* Adds a matrix's sums of weight times state, scaled, to a chunk's pre-activations. */
PEDAL_INLINE void pedal_add_matrix(pedal_ints z[PEDAL_TOGETHER][4], const pedal_matrix *matrix, const int16_t *states,
                                   int chunk)
{
    pedal_ints sums[PEDAL_TOGETHER][4];
#pragma GCC unroll 16
    for (int row = 0; row < 4 * PEDAL_TOGETHER; row++)
        sums[row / 4][row % 4] = (pedal_ints){0};
    const int16_t *weights = matrix->weights + chunk * PEDAL_CHUNK_WEIGHTS;
    PEDAL_UNROLL
    for (int unit = 0; unit < PEDAL_UNITS; unit += 2, weights += 8 * PEDAL_TOGETHER * PEDAL_LANES) {
        const pedal_ints pair = pedal_splat_pair_at(states + unit);
#pragma GCC unroll 16
        for (int row = 0; row < 4 * PEDAL_TOGETHER; row++)
            sums[row / 4][row % 4] = pedal_add_pair(sums[row / 4][row % 4], weights + 2 * row * PEDAL_LANES, pair);
    }
#pragma GCC unroll 16
    for (int row = 0; row < 4 * PEDAL_TOGETHER; row++) {
        const int place = (4 * PEDAL_TOGETHER * chunk + row) * PEDAL_LANES;
        z[row / 4][row % 4] += pedal_multiply_wide_lanes(sums[row / 4][row % 4],
                                                         pedal_load_ints(matrix->multipliers + place)) >>
                               pedal_load_ints(matrix->shifts + place);
    }
}

/* One sample through one layer. heard: the states of the layer below, or 0 for the first layer, which hears x. now: which
 * half of hidden holds the old states. */
PEDAL_INLINE void pedal_step_layer(pedal_layer_work *work, int now, const pedal_layer_tables *layer, int32_t x,
                                   const int16_t *heard)
{
    for (int chunk = 0; chunk < PEDAL_CHUNKS; chunk++) {
        pedal_ints z[PEDAL_TOGETHER][4];
#pragma GCC unroll 16
        for (int row = 0; row < 4 * PEDAL_TOGETHER; row++) {
            const int place = (4 * PEDAL_TOGETHER * chunk + row) * PEDAL_LANES;
            z[row / 4][row % 4] = pedal_load_ints(layer->bias + place);
            if (!heard)
                z[row / 4][row % 4] += pedal_multiply_sample_lanes(pedal_load_ints(layer->factors + place), x);
        }
        if (heard)
            pedal_add_matrix(z, &layer->kernel, heard, chunk);
        pedal_add_matrix(z, &layer->recurrent, work->hidden[now], chunk);
#pragma GCC unroll 16
        for (int member = 0; member < PEDAL_TOGETHER; member++) {
            const int group = chunk * PEDAL_TOGETHER + member;
            const pedal_ints hidden = pedal_step_group(z[member], &work->cell[group], layer);
            pedal_store_packed(work->hidden[!now] + group * PEDAL_LANES, pedal_pack_whole(hidden));
        }
    }
}

PEDAL_INLINE int32_t pedal_step(pedal_layer_work *works, int now, int32_t x)
{
    static const pedal_layer_tables first = {
        PEDAL_LAYER0_GATE_FRACTION_BITS, PEDAL_LAYER0_CELL_FRACTION_BITS, pedal_layer0_bias, pedal_layer0_factors, {0, 0, 0},
        {pedal_layer0_recurrent, pedal_layer0_recurrent_multipliers, pedal_layer0_recurrent_shifts}};
    pedal_step_layer(&works[0], now, &first, x, 0);
#if PEDAL_LAYERS > 1
    static const pedal_layer_tables second = {
        PEDAL_LAYER1_GATE_FRACTION_BITS, PEDAL_LAYER1_CELL_FRACTION_BITS, pedal_layer1_bias, 0,
        {pedal_layer1_kernel, pedal_layer1_kernel_multipliers, pedal_layer1_kernel_shifts},
        {pedal_layer1_recurrent, pedal_layer1_recurrent_multipliers, pedal_layer1_recurrent_shifts}};
    pedal_step_layer(&works[1], now, &second, x, works[0].hidden[!now]);
#endif
    return pedal_answer(pedal_sum_row(pedal_head_weights, works[PEDAL_LAYERS - 1].hidden[!now], PEDAL_UNITS), x);
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    pedal_layer_work works[PEDAL_LAYERS];
    for (int layer = 0; layer < PEDAL_LAYERS; layer++) {
        memcpy(works[layer].cell, state->layers[layer].cell, sizeof works[layer].cell);
        memcpy(works[layer].hidden[0], state->layers[layer].hidden, sizeof works[layer].hidden[0]);
    }
    for (size_t t = 0; t < n; t++)
        out[t] = pedal_decode(pedal_step(works, (int)(t & 1), pedal_encode(in[t])));
    for (int layer = 0; layer < PEDAL_LAYERS; layer++) {
        memcpy(state->layers[layer].cell, works[layer].cell, sizeof works[layer].cell);
        memcpy(state->layers[layer].hidden, works[layer].hidden[n & 1], sizeof works[layer].hidden[0]);
    }
}
