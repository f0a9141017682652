/* Float arithmetic for machines with vectors: a unit in each lane, its four sums in four vectors.
 *
 * A sample waits for the one before it: state, sums, gates, cell, tanh, state. Small networks wait for that chain, large
 * ones for the multiplications, and what is best lies between; so this file has five switches, and whoever compiles it
 * tries a few settings on the machine that plays:
 *
 * PEDAL_INT16_WEIGHTS  matrices and states of 16 bits: half the memory, two products per instruction
 * PEDAL_TOGETHER       groups of units whose sums are formed at once; divides PEDAL_GROUPS
 * PEDAL_LATE           the last so many groups' states are added in a pass of their own: they come last from the sample
 *                      before, and the first pass need not wait for them (0: a single pass)
 * PEDAL_REGISTERS      1: states are spread over lanes out of registers, which is sooner; 0: out of memory, which costs
 *                      less work
 * PEDAL_WRITTEN_OUT    1: loops over groups of states are, as they must be for registers; 0: they stay loops
 */
#include "pedal_audio.h"
#include "pedal_vector.h"
#if defined(PEDAL_FRONT) || defined(PEDAL_BEHIND)
#include "pedal_dense.h"
#endif
#if defined(PEDAL_CELL_GRU)
#include "pedal_gru_lanes.h"
#else
#include "pedal_lstm_lanes.h"
#endif

#define PEDAL_CHUNKS (PEDAL_GROUPS / PEDAL_TOGETHER)
#define PEDAL_EARLY (PEDAL_GROUPS - PEDAL_LATE)
/* Additions to one sum wait for each other; with few sums, states of odd number get sums of their own. */
#define PEDAL_SPLIT (PEDAL_TOGETHER == 1 && !PEDAL_INT16_WEIGHTS)

#if PEDAL_INT16_WEIGHTS
typedef pedal_ints pedal_sums;
#define PEDAL_FIRST_SUM(heard) ((pedal_ints){0})
typedef pedal_pairs_of_states pedal_packed;
#define PEDAL_STEPS_PER_GROUP (PEDAL_LANES / 2)
#define PEDAL_STEP_WEIGHTS (8 * PEDAL_TOGETHER * PEDAL_LANES)
#else
typedef pedal_floats pedal_sums;
#define PEDAL_FIRST_SUM(heard) (heard)
typedef pedal_floats pedal_packed;
#define PEDAL_STEPS_PER_GROUP PEDAL_LANES
#define PEDAL_STEP_WEIGHTS (4 * PEDAL_TOGETHER * PEDAL_LANES)
#endif
#define PEDAL_CHUNK_WEIGHTS (PEDAL_WEIGHTS / PEDAL_CHUNKS)

/* Hidden states of a layer, as they are read. */
typedef struct {
    pedal_packed registers[PEDAL_GROUPS];
    const pedal_hidden *memory;
} pedal_states;

/* A layer while a block is played. Of memory, one half holds the states of a sample, the other those of the next. */
typedef struct {
    pedal_floats cell[PEDAL_GROUPS];
    pedal_packed registers[PEDAL_GROUPS];
    pedal_hidden memory[2][PEDAL_UNITS] __attribute__((aligned(64)));
} pedal_layer_work;

/* A state (or pair of states) in all lanes. */
PEDAL_INLINE pedal_sums pedal_spread(const pedal_states *states, int group, int step)
{
#if PEDAL_INT16_WEIGHTS
    return PEDAL_REGISTERS ? pedal_splat_pair(states->registers[group], step)
                           : pedal_splat_pair_at(states->memory + group * PEDAL_LANES + 2 * step);
#else
    return PEDAL_REGISTERS ? pedal_splat_lane(states->registers[group], step)
                           : pedal_splat(states->memory[group * PEDAL_LANES + step]);
#endif
}

/* Adds weights times the states of groups first to last - 1 to a chunk's sums, but for an idle row of each group. */
PEDAL_INLINE void pedal_add_products(pedal_sums sums[PEDAL_TOGETHER][4], const pedal_weight *weights,
                                     const pedal_states *states, int first, int last, int idle)
{
#if PEDAL_SPLIT
    pedal_sums odd[4] = {{0}, {0}, {0}, {0}};
#endif
    weights += first * PEDAL_STEPS_PER_GROUP * PEDAL_STEP_WEIGHTS;
#if PEDAL_REGISTERS || PEDAL_WRITTEN_OUT
#pragma GCC unroll 16
    for (int group = first; group < last; group++)
#pragma GCC unroll 16
        for (int step = 0; step < PEDAL_STEPS_PER_GROUP; step++, weights += PEDAL_STEP_WEIGHTS) {
#else
    {
        const int group = 0;
#pragma GCC unroll 1
        for (int step = first * PEDAL_STEPS_PER_GROUP; step < last * PEDAL_STEPS_PER_GROUP;
             step++, weights += PEDAL_STEP_WEIGHTS) {
#endif
            const pedal_sums state = pedal_spread(states, group, step);
#pragma GCC unroll 16
            for (int row = 0; row < 4 * PEDAL_TOGETHER; row++) {
                if (row % 4 == idle)
                    continue;
#if PEDAL_INT16_WEIGHTS
                pedal_sums *sum = &sums[row / 4][row % 4];
                *sum = pedal_add_pair(*sum, weights + 2 * row * PEDAL_LANES, state);
#else
#if PEDAL_SPLIT
                pedal_sums *sum = step % 2 ? &odd[row] : &sums[0][row];
#else
                pedal_sums *sum = &sums[row / 4][row % 4];
#endif
                *sum += pedal_load(weights + row * PEDAL_LANES) * state;
#endif
            }
        }
#if !(PEDAL_REGISTERS || PEDAL_WRITTEN_OUT)
    }
#endif
#if PEDAL_SPLIT
#pragma GCC unroll 16
    for (int row = 0; row < 4; row++)
        sums[0][row] += odd[row];
#endif
}

/* Pre-activations from sums: integer ones are scaled and added to what the gates hear besides, float ones began with it. */
PEDAL_INLINE void pedal_finish_sums(pedal_floats z[4], const pedal_sums sums[4], const float *steps)
{
#pragma GCC unroll 16
    for (int gate = 0; gate < 4; gate++)
#if PEDAL_INT16_WEIGHTS
        z[gate] += pedal_to_floats(sums[gate]) * pedal_load(steps + gate * PEDAL_LANES);
#else
        z[gate] = sums[gate];
    (void)steps;
#endif
}

/* A layer's tables. kernel and its steps are those of the second layer. */
typedef struct {
    const float *bias;
    const pedal_weight *kernel, *recurrent;
    const float *kernel_steps, *recurrent_steps;
} pedal_layer_tables;

/* The pass over states that were ready long ago. */
PEDAL_INLINE void pedal_add_early(pedal_sums sums[PEDAL_GROUPS][4], const pedal_layer_tables *tables,
                                  const pedal_states *own)
{
    for (int chunk = 0; chunk < PEDAL_CHUNKS; chunk++) {
        pedal_sums part[PEDAL_TOGETHER][4];
#pragma GCC unroll 16
        for (int row = 0; row < 4 * PEDAL_TOGETHER; row++)
            part[row / 4][row % 4] = (pedal_sums){0};
        pedal_add_products(part, tables->recurrent + chunk * PEDAL_CHUNK_WEIGHTS, own, 0, PEDAL_EARLY,
                           PEDAL_IDLE_RECURRENT_ROW);
#pragma GCC unroll 16
        for (int row = 0; row < 4 * PEDAL_TOGETHER; row++)
            sums[chunk * PEDAL_TOGETHER + row / 4][row % 4] = part[row / 4][row % 4];
    }
}

/* One sample through one layer; returns what the head sums. heard: the states of the layer below, or 0 for the first
 * layer, which hears the PEDAL_HEARD values of x. now: which half of memory holds the old states. */
PEDAL_INLINE pedal_floats pedal_step_layer(pedal_layer_work *layer, int now, const pedal_layer_tables *tables, const float *x,
                                           const pedal_states *heard)
{
    pedal_states own;
    own.memory = layer->memory[now];
    /* Elements one by one: what is copied whole is kept in memory. */
#pragma GCC unroll 16
    for (int group = 0; group < PEDAL_GROUPS; group++)
        own.registers[group] = layer->registers[group];
    pedal_floats answer = {0};
#if PEDAL_LATE
    pedal_sums sums[PEDAL_GROUPS][4];
    pedal_add_early(sums, tables, &own);
#endif
    for (int chunk = 0; chunk < PEDAL_CHUNKS; chunk++) {
        pedal_floats z[PEDAL_TOGETHER][4];
        pedal_sums part[PEDAL_TOGETHER][4];
#pragma GCC unroll 16
        for (int row = 0; row < 4 * PEDAL_TOGETHER; row++) {
            pedal_floats *sum = &z[row / 4][row % 4];
            const int place = (4 * PEDAL_TOGETHER * chunk + row) * PEDAL_LANES;
            *sum = pedal_load(tables->bias + place);
            if (!heard && row % 4 != PEDAL_IDLE_KERNEL_ROW)
                for (int k = 0; k < PEDAL_HEARD; k++)
                    *sum += pedal_load(pedal_layer0_kernel + k * PEDAL_ROWS + place) * pedal_splat(x[k]);
            part[row / 4][row % 4] = PEDAL_FIRST_SUM(*sum);
#if PEDAL_LATE
            part[row / 4][row % 4] += sums[chunk * PEDAL_TOGETHER + row / 4][row % 4];
#endif
        }
        pedal_add_products(part, tables->recurrent + chunk * PEDAL_CHUNK_WEIGHTS, &own, PEDAL_LATE ? PEDAL_EARLY : 0,
                           PEDAL_GROUPS, PEDAL_IDLE_RECURRENT_ROW);
#pragma GCC unroll 16
        for (int member = 0; member < PEDAL_TOGETHER; member++)
            pedal_finish_sums(z[member], part[member],
                              tables->recurrent_steps + 4 * (chunk * PEDAL_TOGETHER + member) * PEDAL_LANES);
        if (heard) {
#pragma GCC unroll 16
            for (int row = 0; row < 4 * PEDAL_TOGETHER; row++)
                part[row / 4][row % 4] = PEDAL_FIRST_SUM(z[row / 4][row % 4]);
            pedal_add_products(part, tables->kernel + chunk * PEDAL_CHUNK_WEIGHTS, heard, 0, PEDAL_GROUPS,
                               PEDAL_IDLE_KERNEL_ROW);
#pragma GCC unroll 16
            for (int member = 0; member < PEDAL_TOGETHER; member++)
                pedal_finish_sums(z[member], part[member],
                                  tables->kernel_steps + 4 * (chunk * PEDAL_TOGETHER + member) * PEDAL_LANES);
        }
#pragma GCC unroll 16
        for (int member = 0; member < PEDAL_TOGETHER; member++) {
            const int group = chunk * PEDAL_TOGETHER + member;
            const pedal_floats hidden = pedal_step_group(z[member], &layer->cell[group]);
#if !defined(PEDAL_BEHIND)
            answer += hidden * pedal_load(pedal_head_weights + group * PEDAL_LANES);
#endif
#if PEDAL_INT16_WEIGHTS
            layer->registers[group] = pedal_pack(hidden);
            if (!PEDAL_REGISTERS)
                pedal_store_packed(layer->memory[!now] + group * PEDAL_LANES, layer->registers[group]);
#else
            layer->registers[group] = hidden;
            if (!PEDAL_REGISTERS)
                pedal_store(layer->memory[!now] + group * PEDAL_LANES, hidden);
#endif
        }
    }
    return answer;
}

#if PEDAL_INT16_WEIGHTS
#define PEDAL_TABLE_STEPS(name) name
#else
/* Never read. */
#define PEDAL_TABLE_STEPS(name) pedal_layer0_bias
#endif

PEDAL_INLINE float pedal_step(pedal_layer_work *layers, int now, float x)
{
    static const pedal_layer_tables first = {pedal_layer0_bias, 0, pedal_layer0_recurrent, 0,
                                             PEDAL_TABLE_STEPS(pedal_layer0_recurrent_steps)};
    const float *signal = &x;
#if defined(PEDAL_FRONT)
    PEDAL_FRONT(PEDAL_PLAY_DENSE)
#endif
    pedal_floats answer = pedal_step_layer(&layers[0], now, &first, signal, 0);
#if PEDAL_LAYERS > 1
    static const pedal_layer_tables second = {pedal_layer1_bias, pedal_layer1_kernel, pedal_layer1_recurrent,
                                              PEDAL_TABLE_STEPS(pedal_layer1_kernel_steps),
                                              PEDAL_TABLE_STEPS(pedal_layer1_recurrent_steps)};
    pedal_states heard;
    heard.memory = layers[0].memory[!now];
#pragma GCC unroll 16
    for (int group = 0; group < PEDAL_GROUPS; group++)
        heard.registers[group] = layers[0].registers[group];
    answer = pedal_step_layer(&layers[1], now, &second, 0, &heard);
#endif
    float y = PEDAL_HEAD_BIAS + (PEDAL_SKIP ? x : 0.0f);
#if defined(PEDAL_BEHIND)
    /* Such kernels have states of float. */
    (void)answer;
    float hidden[PEDAL_UNITS];
#pragma GCC unroll 16
    for (int group = 0; group < PEDAL_GROUPS; group++)
        pedal_store(hidden + group * PEDAL_LANES, layers[PEDAL_LAYERS - 1].registers[group]);
    signal = hidden;
    PEDAL_BEHIND(PEDAL_PLAY_DENSE)
    for (int k = 0; k < PEDAL_SUMMED; k++)
        y += pedal_head_weights[k] * signal[k];
    return y;
#else
    return pedal_sum_lanes(answer) + y;
#endif
}

PEDAL_INLINE void pedal_take_up(pedal_layer_work *layer, const pedal_layer_state *state)
{
    memcpy(layer->cell, state->cell, sizeof layer->cell);
    memcpy(layer->memory[0], state->hidden, sizeof layer->memory[0]);
#pragma GCC unroll 16
    for (int group = 0; group < PEDAL_GROUPS; group++)
#if PEDAL_INT16_WEIGHTS
        layer->registers[group] = pedal_load_packed(state->hidden + group * PEDAL_LANES);
#else
        layer->registers[group] = pedal_load(state->hidden + group * PEDAL_LANES);
#endif
}

PEDAL_INLINE void pedal_put_down(const pedal_layer_work *layer, pedal_layer_state *state)
{
    memcpy(state->cell, layer->cell, sizeof layer->cell);
#pragma GCC unroll 16
    for (int group = 0; group < PEDAL_GROUPS; group++)
#if PEDAL_INT16_WEIGHTS
        pedal_store_packed(state->hidden + group * PEDAL_LANES, layer->registers[group]);
#else
        pedal_store(state->hidden + group * PEDAL_LANES, layer->registers[group]);
#endif
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    const uint64_t before = pedal_flush_denormals();
    pedal_layer_work layers[PEDAL_LAYERS];
    for (int layer = 0; layer < PEDAL_LAYERS; layer++)
        pedal_take_up(&layers[layer], &state->layers[layer]);
    for (size_t t = 0; t < n; t++)
        out[t] = pedal_decode(pedal_step(layers, (int)(t & 1), pedal_encode(in[t])));
    for (int layer = 0; layer < PEDAL_LAYERS; layer++)
        pedal_put_down(&layers[layer], &state->layers[layer]);
    pedal_restore_denormals(before);
}
