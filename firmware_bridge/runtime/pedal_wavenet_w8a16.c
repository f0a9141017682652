/* A WaveNet in integers, bit by bit as LiteRT's kernels of int16 signals and int8 weights play it.
 *
 * As in pedal_wavenet.c a layer plays a whole piece before the next one does, and every kind of layer becomes a function
 * of constant sizes. Here channels are what is multiplied in pairs, and two samples share each weight that is loaded.
 * The generator has seen to it that no sum leaves 32 bits.
 */
#include "pedal_wavenet_w8a16.h"

#include <string.h>

#include "pedal_audio.h"

/* Samples that share the loading of weights; output channels whose sums are formed at once. */
#define PEDAL_TIMES 2
#define PEDAL_MOST 4

enum { PEDAL_TANH, PEDAL_RELU, PEDAL_LEAKY_RELU };

/* What pedal_add is told besides a shift: factors from the table; nothing to add to. */
#define PEDAL_BY_FACTORS (-1)
#define PEDAL_NOTHING (-2)

struct pedal_layer;

typedef struct {
    int16_t *x, *next, *total; /* next is 0 where nobody hears what the layer passes on */
    const int16_t *condition;
    const struct pedal_layer *layer;
} pedal_task;

typedef void pedal_layer_function(const pedal_task *task, size_t n);

typedef struct {
    unsigned channels, lead, room, memory;
} pedal_track;

typedef struct pedal_layer {
    pedal_layer_function *play;
    unsigned dilation, weights, constants, sums;
    int32_t argument; /* steps of a table's argument per step of a sum */
    pedal_factor gate;
} pedal_layer;

typedef struct {
    unsigned channels, layers, entry, entry_constants, head, head_constants, head_size, head_taps;
} pedal_array;

/* sum times the factor at `by`, rounded once, halves up, and saturated. */
PEDAL_INLINE int32_t pedal_requantize(int32_t sum, const int32_t *by)
{
#if PEDAL_FACTOR_INTS == 1
    return pedal_saturate_16(pedal_multiply_high_rounded(sum, by[0]));
#else
    const int64_t scaled = ((int64_t)sum * by[0] + (INT64_C(1) << (by[1] - 1))) >> by[1];
    return (int32_t)(scaled < -32768 ? -32768 : scaled > 32767 ? 32767 : scaled);
#endif
}

/* sum + two products of weights with channels. */
PEDAL_INLINE int32_t pedal_add_channels(const int16_t *weights, const int16_t *channels, int32_t sum)
{
#if PEDAL_DSP
    return __smlad(*(const pedal_pair *)(const void *)weights, *(const pedal_pair *)(const void *)channels, sum);
#else
    return sum + weights[0] * channels[0] + weights[1] * channels[1];
#endif
}

/* The sum of two signals. how: by how many bits the second one's steps are finer than those of the first and the sum. */
PEDAL_INLINE int32_t pedal_add(const int how, const pedal_sum *by, int32_t one, int32_t other)
{
    if (how == PEDAL_BY_FACTORS)
        return pedal_saturate_16(pedal_rescale_twice(
            pedal_rescale_twice(one * 32768, by->one) + pedal_rescale_twice(other * 32768, by->other), by->result));
    if (how == 0)
        return pedal_saturate_16(one + other);
    const int32_t exact = one * (1 << how) + other;
    return pedal_saturate_16((exact + (1 << how >> 1) + (exact >> 31)) >> how);
}

#if defined(PEDAL_SIGMOIDS)
/* The table at magnitude / 2^bits, with as many more bits. */
PEDAL_INLINE int32_t pedal_interpolate(int32_t magnitude, const int bits)
{
    const int32_t place = magnitude >> bits < 255 ? magnitude >> bits : 255;
    const int32_t left = pedal_sigmoids[place], right = pedal_sigmoids[place + 1];
    return (left << bits) + (magnitude & ((1 << bits) - 1)) * (right - left);
}

PEDAL_INLINE int32_t pedal_tanh_16(int32_t argument)
{
    const int32_t sign = argument >> 31;
    const int32_t centred = pedal_interpolate((argument ^ sign) - sign, 8) - (INT32_C(1) << 23);
    return (((centred ^ sign) - sign) + (1 << 7) + sign) >> 8;
}

PEDAL_INLINE int32_t pedal_sigmoid_16(int32_t argument)
{
    const int32_t sign = argument >> 31, magnitude = (argument ^ sign) - sign;
    const int32_t opened = magnitude >> 9 < 255 ? pedal_interpolate(magnitude, 9) : INT32_C(0x7FFF) << 10;
    return (sign ? (INT32_C(1) << 25) - opened + (1 << 9) - 1 : opened + (1 << 9)) >> 10;
}
#endif

PEDAL_INLINE int32_t pedal_activate(const int kind, int32_t sum, int32_t argument)
{
#if defined(PEDAL_SIGMOIDS)
    if (kind == PEDAL_TANH)
        return pedal_tanh_16(sum * argument);
#endif
#if defined(PEDAL_LEAK_MULTIPLIER)
    if (kind == PEDAL_LEAKY_RELU) {
        const int32_t leak = (sum * PEDAL_LEAK_MULTIPLIER + PEDAL_LEAK_ROUNDING) >> PEDAL_LEAK_SHIFT;
        return sum > leak ? sum : leak;
    }
#endif
    (void)kind;
    (void)argument;
    return sum > 0 ? sum : 0;
}

/* Sums first to first + count - 1 of M, of so many samples; activated unless a gate still comes. */
PEDAL_INLINE void pedal_sum_share(const int C, const int M, const int K, const int kind, const int how, const int count,
                                  const int times, int first, const pedal_task *task, size_t t, int16_t *activated)
{
    const pedal_layer *layer = task->layer;
    const int W = PEDAL_WIDTH(C);
    const int16_t *weights = pedal_weights + layer->weights + 2 * first;
    const int32_t *bias = pedal_constants + layer->constants + first;
    int32_t sums[PEDAL_MOST][PEDAL_TIMES];
#pragma GCC unroll 4
    for (int m = 0; m < count; m++)
#pragma GCC unroll 2
        for (int time = 0; time < times; time++)
            sums[m][time] = bias[m];
    const int16_t *x = task->x + ((ptrdiff_t)t - (ptrdiff_t)((unsigned)(K - 1) * layer->dilation)) * W;
#pragma GCC unroll 1
    for (int k = 0; k < K; k++, x += layer->dilation * (unsigned)W)
#pragma GCC unroll 8
        for (int p = 0; p < W / 2; p++, weights += 2 * M)
#pragma GCC unroll 4
            for (int m = 0; m < count; m++)
#pragma GCC unroll 2
                for (int time = 0; time < times; time++)
                    sums[m][time] = pedal_add_channels(weights + 2 * m, x + time * W + 2 * p, sums[m][time]);
    const int16_t *mixin = pedal_weights + layer->weights + K * W * M + first;
    const int32_t *by = bias - first + M + first * PEDAL_FACTOR_INTS, *mixed_by = by + M * PEDAL_FACTOR_INTS;
    const pedal_sum *added_by = pedal_sums_of_layers + layer->sums;
#pragma GCC unroll 4
    for (int m = 0; m < count; m++, by += PEDAL_FACTOR_INTS, mixed_by += PEDAL_FACTOR_INTS)
#pragma GCC unroll 2
        for (int time = 0; time < times; time++) {
            const int32_t mixed_in = pedal_requantize(mixin[m] * task->condition[t + (size_t)time], mixed_by);
            const int32_t sum = pedal_add(how, added_by, pedal_requantize(sums[m][time], by), mixed_in);
            activated[time * PEDAL_WIDTH(M) + first + m] =
                (int16_t)(M > C ? sum : pedal_activate(kind, sum, layer->argument));
        }
}

/* A layer of C channels, M sums (C, or twice as many with a gate) and K taps, for so many samples. */
PEDAL_INLINE void pedal_play_samples(const int C, const int M, const int K, const int kind, const int heard_how,
                                     const int total_how, const int signal_how, const int times,
                                     const pedal_task *task, size_t t)
{
    const pedal_layer *layer = task->layer;
    const int W = PEDAL_WIDTH(C), V = PEDAL_WIDTH(M);
    int16_t activated[PEDAL_TIMES * PEDAL_MOST_SUMS] __attribute__((aligned(4)));
    int first = 0;
#pragma GCC unroll 8
    for (; first + PEDAL_MOST <= M; first += PEDAL_MOST)
        pedal_sum_share(C, M, K, kind, heard_how, PEDAL_MOST, times, first, task, t, activated);
    if (M % PEDAL_MOST)
        pedal_sum_share(C, M, K, kind, heard_how, M % PEDAL_MOST, times, first, task, t, activated);
#pragma GCC unroll 2
    for (int time = 0; time < times; time++) {
        int16_t *opened = activated + time * V, *total = task->total + (t + (size_t)time) * (size_t)W;
#if defined(PEDAL_SIGMOIDS)
        for (int c = 0; M > C && c < C; c++)
            opened[c] = (int16_t)pedal_saturate_16(pedal_rescale_twice(
                pedal_activate(kind, opened[c], layer->argument) * pedal_sigmoid_16(opened[C + c] * layer->argument),
                layer->gate));
#endif
#pragma GCC unroll 16
        for (int c = 0; c < C; c++)
            total[c] = (int16_t)(total_how == PEDAL_NOTHING
                                     ? opened[c]
                                     : pedal_add(total_how, pedal_sums_of_layers + layer->sums + 1, total[c], opened[c]));
        if (C % 2)
            opened[C] = 0;
    }
    if (!task->next)
        return;
    const int16_t *mix = pedal_weights + layer->weights + K * W * M + V;
    const int32_t *bias = pedal_constants + layer->constants + M + 2 * M * PEDAL_FACTOR_INTS, *by = bias + C;
#pragma GCC unroll 16
    for (int c = 0; c < C; c++, by += PEDAL_FACTOR_INTS)
#pragma GCC unroll 2
        for (int time = 0; time < times; time++) {
            int32_t sum = bias[c];
#pragma GCC unroll 8
            for (int p = 0; p < W / 2; p++)
                sum = pedal_add_channels(mix + 2 * (p * C + c), activated + time * V + 2 * p, sum);
            const size_t place = (t + (size_t)time) * (size_t)W + (size_t)c;
            task->next[place] = (int16_t)pedal_add(signal_how, pedal_sums_of_layers + layer->sums + 2, task->x[place],
                                                   pedal_requantize(sum, by));
        }
}

#define SHAPE(name, C, M, K, kind, heard, total, signal)                                                               \
    static void pedal_play_##name(const pedal_task *task, size_t n)                                                   \
    {                                                                                                                  \
        size_t t = 0;                                                                                                  \
        for (; t + PEDAL_TIMES <= n; t += PEDAL_TIMES)                                                                \
            pedal_play_samples(C, M, K, kind, heard, total, signal, PEDAL_TIMES, task, t);                            \
        for (; t < n; t++)                                                                                             \
            pedal_play_samples(C, M, K, kind, heard, total, signal, 1, task, t);                                      \
    }
PEDAL_SHAPES(SHAPE)

#define TRACK(channels, lead, room, memory) {channels, lead, room, memory},
static const pedal_track pedal_tracks[] = {PEDAL_TRACKS(TRACK)};

#define LAYER(name, dilation, weights, constants, sums, argument, multiplier, shift)                                   \
    {pedal_play_##name, dilation, weights, constants, sums, argument, {multiplier, shift}},
static const pedal_layer pedal_layers[] = {PEDAL_CONVOLUTIONS(LAYER)};

#define ARRAY(channels, layers, entry, entry_constants, head, head_constants, head_size, head_taps)                    \
    {channels, layers, entry, entry_constants, head, head_constants, head_size, head_taps},
static const pedal_array pedal_arrays[] = {PEDAL_ARRAYS(ARRAY)};

#define PEDAL_NUM_ARRAYS (sizeof pedal_arrays / sizeof *pedal_arrays)

/* Of n samples, `in` apart from one to the next, the sums of `count` numbers from each sample's first one on: of
 * `outputs` channels, which lie in pairs. */
static void pedal_convolve(const int16_t *in, size_t apart, size_t count, const int16_t *weights,
                           const int32_t *constants, int16_t *out, size_t outputs, size_t n)
{
    for (size_t t = 0; t < n; t++, in += apart, out += PEDAL_WIDTH(outputs)) {
        const int16_t *row = weights;
        for (size_t o = 0; o < outputs; o++, row += PEDAL_WIDTH(count)) {
            int32_t sum = constants[o];
            if (count == 1)
                sum += row[0] * in[0];
            else
                PEDAL_UNROLL
                for (size_t i = 0; i < count; i += 2)
                    sum = pedal_add_channels(row + i, in + i, sum);
            out[o] = (int16_t)pedal_requantize(sum, constants + outputs + o * PEDAL_FACTOR_INTS);
        }
    }
}

/* Where the next sample of a track goes. */
PEDAL_INLINE int16_t *pedal_track_place(pedal_state *state, size_t track)
{
    const pedal_track *of = &pedal_tracks[track];
    return state->memory + of->memory + (of->lead + state->at[track]) * PEDAL_WIDTH(of->channels);
}

/* Room for so many samples in every track. */
static void pedal_make_room(pedal_state *state, size_t samples)
{
    for (size_t track = 0; track < PEDAL_NUM_TRACKS; track++) {
        const pedal_track *of = &pedal_tracks[track];
        if (state->at[track] + samples <= of->room)
            continue;
        /* The room is longer than the past by a piece, so that the two places have nothing in common. */
        const size_t width = PEDAL_WIDTH(of->channels);
        int16_t *first = state->memory + of->memory;
        memcpy(first, first + state->at[track] * width, of->lead * width * sizeof *first);
        state->at[track] = 0;
    }
}

/* A piece of n samples, from condition to the last head in out (pairs). */
static void pedal_play_piece(pedal_state *state, const int16_t *condition, int16_t *out, size_t n)
{
    const int16_t *signal = condition;
    size_t layer = 0, track = 0, apart = 1;
    for (size_t a = 0; a < PEDAL_NUM_ARRAYS; a++) {
        const pedal_array *array = &pedal_arrays[a];
        const int last = a + 1 == PEDAL_NUM_ARRAYS;
        const size_t width = PEDAL_WIDTH(array->channels);
        int16_t *total = pedal_track_place(state, track + array->layers);
        pedal_task task = {pedal_track_place(state, track), 0, total, condition, 0};
        pedal_convolve(signal, apart, a == 0 ? 1 : apart, pedal_weights + array->entry,
                       pedal_constants + array->entry_constants, task.x, array->channels, n);
        for (size_t end = layer + array->layers; layer < end; layer++, track++, task.x = task.next) {
            task.next = layer + 1 < end ? pedal_track_place(state, track + 1) : last ? 0 : state->passed;
            task.layer = &pedal_layers[layer];
            task.layer->play(&task, n);
        }
        track++;
        signal = task.next;
        apart = width;
        pedal_convolve(total - (array->head_taps - 1) * width, width, array->head_taps * width,
                       pedal_weights + array->head, pedal_constants + array->head_constants,
                       last ? out : pedal_track_place(state, track + pedal_arrays[a + 1].layers), array->head_size, n);
    }
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    int16_t condition[PEDAL_PIECE], head[PEDAL_WIDTH(1) * PEDAL_PIECE];
    for (size_t done = 0; done < n; done += PEDAL_PIECE) {
        const size_t count = n - done < PEDAL_PIECE ? n - done : PEDAL_PIECE;
        for (size_t t = 0; t < count; t++)
            condition[t] = (int16_t)pedal_encode(in[done + t]);
        pedal_make_room(state, count);
        pedal_play_piece(state, condition, head, count);
        for (size_t t = 0; t < count; t++) {
            int32_t wet = head[PEDAL_WIDTH(1) * t];
#if PEDAL_SKIP
            wet = pedal_add(PEDAL_BY_FACTORS, pedal_sums_of_layers + PEDAL_NUM_SUMS - 1, wet, condition[t]);
#endif
            out[done + t] = pedal_decode(wet);
        }
        for (size_t track = 0; track < PEDAL_NUM_TRACKS; track++)
            state->at[track] += (uint32_t)count;
    }
}

void pedal_init(pedal_state *state)
{
    memset(state, 0, sizeof *state);
    const int16_t *rest = pedal_rest;
    for (size_t track = 0; track < PEDAL_NUM_TRACKS; track++) {
        const pedal_track *of = &pedal_tracks[track];
        int16_t *sample = state->memory + of->memory;
        for (size_t t = 0; t < of->lead; t++, sample += PEDAL_WIDTH(of->channels))
            memcpy(sample, rest, of->channels * sizeof *rest);
        rest += of->channels;
    }
}

void pedal_reset(pedal_state *state)
{
    pedal_init(state);
}
