/* A WaveNet in float: signals are (channels, time), and time is what vectors are made of.
 *
 * Nothing waits for the sample before, so that a layer plays a whole piece of the block: PEDAL_TOGETHER vectors of time at
 * once, for as many output channels as leave their sums in PEDAL_SUMS registers. Every kind of layer in the network
 * (PEDAL_SHAPES) becomes a function of constant sizes. A convolution reads its past where it was written; see
 * pedal_wavenet.h for tracks. What lies in a piece behind its last sample is anything: whole vectors of it are played,
 * and the next piece is written over it.
 */
#include "pedal_wavenet.h"

#include <string.h>

#include "pedal.h"
#include "pedal_audio.h"
#include "pedal_wavenet_lanes.h"

/* Output channels that are summed at once, of so many that there are: equal shares, but for the last. */
#define PEDAL_MOST (PEDAL_SUMS / PEDAL_TOGETHER)
#define PEDAL_SHARES(channels) (((channels) + PEDAL_MOST - 1) / PEDAL_MOST)
#define PEDAL_SHARE(channels) (((channels) + PEDAL_SHARES(channels) - 1) / PEDAL_SHARES(channels))

/* Sample t of channel c is at[c * row + t]. */
typedef struct {
    float *at;
    size_t row;
} pedal_rows;

/* What a layer plays. next.at is 0 where nobody hears what it passes on. */
typedef struct {
    pedal_rows x, next, total;
    const float *condition, *weights;
    size_t dilation;
} pedal_task;

typedef void pedal_layer_function(const pedal_task *task, size_t n);

typedef struct {
    unsigned channels, lead, room, row, memory;
} pedal_track;

typedef struct {
    pedal_layer_function *play;
    unsigned dilation, weights;
} pedal_layer;

typedef struct {
    unsigned inputs, channels, layers, entry, head, head_size, head_taps, head_bias;
} pedal_array;

/* Sums of so many channels and vectors of time. */
typedef pedal_floats pedal_sums[PEDAL_MOST][PEDAL_TOGETHER];

/* sums += x (inputs, time) times the first columns of weights (inputs, stride). */
PEDAL_INLINE void pedal_add_inputs(pedal_sums sums, const int channels, const int parts, const int inputs, const float *x,
                                   size_t row, const float *weights, const int stride)
{
#pragma GCC unroll 16
    for (int i = 0; i < inputs; i++) {
        pedal_floats heard[PEDAL_TOGETHER];
        const float *from = x + (size_t)i * row;
        PEDAL_ONE_ADDRESS(from);
#pragma GCC unroll 16
        for (int part = 0; part < parts; part++)
            heard[part] = pedal_load(from + part * PEDAL_LANES);
#pragma GCC unroll 32
        for (int c = 0; c < channels; c++)
#pragma GCC unroll 16
            for (int part = 0; part < parts; part++)
                sums[c][part] = PEDAL_MULTIPLY_ADD(weights[i * stride + c], heard[part], sums[c][part]);
    }
}

/* Sums first to first + channels - 1 of M, of a layer of C channels and K taps; activated unless a gate still comes. */
PEDAL_INLINE void pedal_sum_share(const int C, const int M, const int K, const int kind, const int channels,
                                  const int parts, int first, const pedal_task *task, size_t t, float *activated)
{
    const float *kernel = task->weights + first, *bias = task->weights + K * C * M + first, *mixin = bias + M;
    pedal_sums sums;
#pragma GCC unroll 16
    for (int part = 0; part < parts; part++) {
        const pedal_floats condition = pedal_load(task->condition + t + (size_t)(part * PEDAL_LANES));
#pragma GCC unroll 32
        for (int c = 0; c < channels; c++)
            sums[c][part] = PEDAL_MULTIPLY_ADD(mixin[c], condition, bias[c]);
    }
    const float *x = task->x.at + t - (size_t)(K - 1) * task->dilation;
#pragma GCC unroll 1
    for (int k = 0; k < K; k++, x += task->dilation, kernel += C * M)
        pedal_add_inputs(sums, channels, parts, C, x, task->x.row, kernel, M);
#pragma GCC unroll 32
    for (int c = 0; c < channels; c++)
#pragma GCC unroll 16
        for (int part = 0; part < parts; part++)
            pedal_store(activated + ((first + c) * PEDAL_TOGETHER + part) * PEDAL_LANES,
                        M > C ? sums[c][part] : pedal_activate(kind, sums[c][part]));
}

/* What goes on to the next layer: channels first to first + channels - 1 of C. */
PEDAL_INLINE void pedal_mix_share(const int C, const int channels, const int parts, int first, const pedal_task *task,
                                  const float *mix, size_t t, const float *activated)
{
    pedal_sums sums;
#pragma GCC unroll 32
    for (int c = 0; c < channels; c++)
#pragma GCC unroll 16
        for (int part = 0; part < parts; part++)
            sums[c][part] = mix[C * C + first + c] + pedal_load(task->x.at + (size_t)(first + c) * task->x.row + t
                                                                + (size_t)(part * PEDAL_LANES));
    pedal_add_inputs(sums, channels, parts, C, activated, PEDAL_TOGETHER * PEDAL_LANES, mix + first, C);
#pragma GCC unroll 32
    for (int c = 0; c < channels; c++)
#pragma GCC unroll 16
        for (int part = 0; part < parts; part++)
            pedal_store(task->next.at + (size_t)(first + c) * task->next.row + t + (size_t)(part * PEDAL_LANES),
                        sums[c][part]);
}

/* A layer of C channels, M sums (C, or twice as many with a gate) and K taps, for so many vectors of time. */
PEDAL_INLINE void pedal_play_vectors(const int C, const int M, const int K, const int kind, const int parts,
                                     const pedal_task *task, size_t t)
{
    float activated[PEDAL_MOST_SUMS * PEDAL_TOGETHER * PEDAL_LANES] PEDAL_ALIGNED;
    int first = 0;
    for (; first + PEDAL_SHARE(M) <= M; first += PEDAL_SHARE(M))
        pedal_sum_share(C, M, K, kind, PEDAL_SHARE(M), parts, first, task, t, activated);
    if (M % PEDAL_SHARE(M))
        pedal_sum_share(C, M, K, kind, M % PEDAL_SHARE(M), parts, first, task, t, activated);
    for (int c = 0; c < C; c++)
#pragma GCC unroll 16
        for (int part = 0; part < parts; part++) {
            float *place = activated + (c * PEDAL_TOGETHER + part) * PEDAL_LANES;
            pedal_floats a = pedal_load(place);
            if (M > C) {
                a = pedal_activate(kind, a) * pedal_logistic_lanes(pedal_load(place + C * PEDAL_TOGETHER * PEDAL_LANES));
                pedal_store(place, a);
            }
            float *total = task->total.at + (size_t)c * task->total.row + t + (size_t)(part * PEDAL_LANES);
            pedal_store(total, pedal_load(total) + a);
        }
    if (!task->next.at)
        return;
    const float *mix = task->weights + K * C * M + 2 * M;
    for (first = 0; first + PEDAL_SHARE(C) <= C; first += PEDAL_SHARE(C))
        pedal_mix_share(C, PEDAL_SHARE(C), parts, first, task, mix, t, activated);
    if (C % PEDAL_SHARE(C))
        pedal_mix_share(C, C % PEDAL_SHARE(C), parts, first, task, mix, t, activated);
}

#define SHAPE(name, C, M, K, kind)                                                                                     \
    static void pedal_play_##name(const pedal_task *task, size_t n)                                                   \
    {                                                                                                                  \
        size_t t = 0;                                                                                                  \
        for (; t + (PEDAL_TOGETHER - 1) * PEDAL_LANES < n; t += PEDAL_TOGETHER * PEDAL_LANES)                         \
            pedal_play_vectors(C, M, K, kind, PEDAL_TOGETHER, task, t);                                               \
        for (; t < n; t += PEDAL_LANES)                                                                               \
            pedal_play_vectors(C, M, K, kind, 1, task, t);                                                            \
    }
PEDAL_SHAPES(SHAPE)

#define TRACK(channels, lead, room, row, memory) {channels, lead, room, row, memory},
static const pedal_track pedal_tracks[] = {PEDAL_TRACKS(TRACK)};

#define LAYER(name, dilation, weights) {pedal_play_##name, dilation, weights},
static const pedal_layer pedal_layers[] = {PEDAL_CONVOLUTIONS(LAYER)};

#define ARRAY(inputs, channels, layers, entry, head, head_size, head_taps, head_bias)                                  \
    {inputs, channels, layers, entry, head, head_size, head_taps, head_bias},
static const pedal_array pedal_arrays[] = {PEDAL_ARRAYS(ARRAY)};

#define PEDAL_NUM_ARRAYS (sizeof pedal_arrays / sizeof *pedal_arrays)

/* out (outputs, n) = in (inputs, n), of so many taps, by weights (taps, inputs, outputs), and a bias if there is one. */
static void pedal_convolve(pedal_rows in, size_t inputs, size_t taps, const float *weights, const float *bias,
                           pedal_rows out, size_t outputs, size_t n)
{
    for (size_t o = 0; o < outputs; o++)
        for (size_t t = 0; t < n; t += PEDAL_LANES) {
            pedal_floats even = pedal_splat(bias ? bias[o] : 0.0f), odd = pedal_splat(0.0f);
            const float *w = weights + o, *x = in.at + t - (taps - 1);
            for (size_t k = 0; k < taps; k++, x++) {
                size_t i = 0;
                for (; i + 1 < inputs; i += 2, w += 2 * outputs) {
                    even = PEDAL_MULTIPLY_ADD(w[0], pedal_load(x + i * in.row), even);
                    odd = PEDAL_MULTIPLY_ADD(w[outputs], pedal_load(x + (i + 1) * in.row), odd);
                }
                if (i < inputs) {
                    even = PEDAL_MULTIPLY_ADD(w[0], pedal_load(x + i * in.row), even);
                    w += outputs;
                }
            }
            pedal_store(out.at + o * out.row + t, even + odd);
        }
}

/* The rows of a track where the next piece goes. */
PEDAL_INLINE pedal_rows pedal_track_rows(pedal_state *state, size_t track)
{
    const pedal_track *of = &pedal_tracks[track];
    return (pedal_rows){state->memory + of->memory + of->lead + state->at[track], of->row};
}

/* Room for a piece of so many samples, whole vectors of them, in every track. */
static void pedal_make_room(pedal_state *state, size_t samples)
{
    for (size_t track = 0; track < PEDAL_NUM_TRACKS; track++) {
        const pedal_track *of = &pedal_tracks[track];
        const size_t at = state->at[track];
        if (at + samples <= of->room)
            continue;
        float *row = state->memory + of->memory;
        for (size_t c = 0; c < of->channels; c++, row += of->row)
            PEDAL_UNROLL
            for (size_t t = 0; t < of->lead; t += PEDAL_LANES)
                pedal_store(row + t, pedal_load(row + at + t));
        state->at[track] = 0;
    }
}

/* A piece of n samples, from condition to the last head in out. */
static void pedal_play_piece(pedal_state *state, float *condition, float *out, size_t n)
{
    pedal_rows signal = {condition, PEDAL_PIECE};
    size_t layer = 0, track = 0;
    for (size_t a = 0; a < PEDAL_NUM_ARRAYS; a++) {
        const pedal_array *array = &pedal_arrays[a];
        const int last = a + 1 == PEDAL_NUM_ARRAYS;
        const pedal_rows total = pedal_track_rows(state, track + array->layers);
        pedal_task task = {pedal_track_rows(state, track), {0}, total, condition, 0, 0};
        pedal_convolve(signal, array->inputs, 1, pedal_weights + array->entry, 0, task.x, array->channels, n);
        if (a == 0)
            for (size_t c = 0; c < array->channels; c++)
                for (size_t t = 0; t < n; t += PEDAL_LANES)
                    pedal_store(total.at + c * total.row + t, pedal_splat(0.0f));
        for (size_t end = layer + array->layers; layer < end; layer++, track++, task.x = task.next) {
            task.next = layer + 1 < end ? pedal_track_rows(state, track + 1)
                                        : (pedal_rows){last ? 0 : state->passed, PEDAL_PIECE};
            task.dilation = pedal_layers[layer].dilation;
            task.weights = pedal_weights + pedal_layers[layer].weights;
            pedal_layers[layer].play(&task, n);
        }
        track++;
        signal = task.next;
        const float *head = pedal_weights + array->head;
        const pedal_rows heard = last ? (pedal_rows){out, PEDAL_PIECE}
                                      : pedal_track_rows(state, track + pedal_arrays[a + 1].layers);
        pedal_convolve(total, array->channels, array->head_taps, head,
                       array->head_bias ? head + array->head_taps * array->channels * array->head_size : 0, heard,
                       array->head_size, n);
    }
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
#if PEDAL_LANES > 1
    const uint64_t before = pedal_flush_denormals();
#endif
    float condition[PEDAL_PIECE] PEDAL_ALIGNED = {0}, head[PEDAL_PIECE] PEDAL_ALIGNED;
    for (size_t done = 0; done < n; done += PEDAL_PIECE) {
        const size_t count = n - done < PEDAL_PIECE ? n - done : PEDAL_PIECE;
        for (size_t t = 0; t < count; t++)
            condition[t] = pedal_encode(in[done + t]);
        pedal_make_room(state, (count + PEDAL_LANES - 1) / PEDAL_LANES * PEDAL_LANES);
        pedal_play_piece(state, condition, head, count);
        for (size_t t = 0; t < count; t++)
            out[done + t] = pedal_decode(head[t] * PEDAL_HEAD_SCALE + (PEDAL_SKIP ? condition[t] : 0.0f));
        for (size_t track = 0; track < PEDAL_NUM_TRACKS; track++)
            state->at[track] += (uint32_t)count;
    }
#if PEDAL_LANES > 1
    pedal_restore_denormals(before);
#endif
}

void pedal_init(pedal_state *state)
{
    memset(state, 0, sizeof *state);
    const float *rest = pedal_rest;
    for (size_t track = 0; track < PEDAL_NUM_TRACKS; track++) {
        const pedal_track *of = &pedal_tracks[track];
        float *row = state->memory + of->memory;
        for (size_t c = 0; c < of->channels; c++, row += of->row, rest++)
            for (size_t t = 0; t < of->lead; t++)
                row[t] = *rest;
    }
}

void pedal_reset(pedal_state *state)
{
    pedal_init(state);
}
