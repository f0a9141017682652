/* Frame networks in float on machines with vectors: every output sample answers the last PEDAL_FRAME inputs, from zero
 * state.
 *
 * A window in each lane, PEDAL_TOGETHER vectors of them at once: matrix times matrix. Nothing waits for the sample before,
 * so that the multipliers are never idle; and as windows overlap, sample f of them all is one stretch of the track.
 */
#include <string.h>

#include "pedal_audio.h"
#include "pedal_frames.h"
#include "pedal_lstm_lanes.h"

#define PEDAL_WINDOWS (PEDAL_TOGETHER * PEDAL_LANES)

/* A number of each window, of some unit. */
typedef struct {
    pedal_floats part[PEDAL_TOGETHER];
} pedal_windows;

typedef struct {
    pedal_windows cell[PEDAL_HIDDEN];
    pedal_windows hidden[2][PEDAL_HIDDEN];
} pedal_layer_work;

/* A layer's tables; kernel is that of the second layer. */
typedef struct {
    const float *bias, *kernel, *recurrent;
} pedal_layer_tables;

PEDAL_INLINE void pedal_add_units(pedal_floats z[PEDAL_TOGETHER][4], const float *weights, const pedal_windows *states)
{
    for (int k = 0; k < PEDAL_HIDDEN; k++)
#pragma GCC unroll 4
        for (int gate = 0; gate < 4; gate++) {
            const pedal_floats weight = pedal_splat(weights[4 * k + gate]);
#pragma GCC unroll 4
            for (int part = 0; part < PEDAL_TOGETHER; part++)
                z[part][gate] += weight * states[k].part[part];
        }
}

/* One step of all windows through one layer. step: its number, 0 from zero state. x: what the first layer hears; heard: what
 * the second does, or 0. */
PEDAL_INLINE void pedal_step_windows(pedal_layer_work *layer, const pedal_layer_tables *tables, int step,
                                     const pedal_windows *x, const pedal_windows *heard)
{
    const pedal_windows *old = layer->hidden[step & 1];
    pedal_windows *next = layer->hidden[~step & 1];
    for (int unit = 0; unit < PEDAL_HIDDEN; unit++) {
        pedal_floats z[PEDAL_TOGETHER][4];
#pragma GCC unroll 4
        for (int gate = 0; gate < 4; gate++)
#pragma GCC unroll 4
            for (int part = 0; part < PEDAL_TOGETHER; part++) {
                z[part][gate] = pedal_splat(tables->bias[4 * unit + gate]);
                if (!heard)
                    z[part][gate] += pedal_splat(pedal_layer0_kernel[4 * unit + gate]) * x->part[part];
            }
        if (heard)
            pedal_add_units(z, tables->kernel + 4 * PEDAL_HIDDEN * unit, heard);
        if (step > 0)
            pedal_add_units(z, tables->recurrent + 4 * PEDAL_HIDDEN * unit, old);
#pragma GCC unroll 4
        for (int part = 0; part < PEDAL_TOGETHER; part++) {
            if (step == 0)
                layer->cell[unit].part[part] = (pedal_floats){0};
            next[unit].part[part] = pedal_step_group(z[part], &layer->cell[unit].part[part]);
        }
    }
}

/* The answers of the windows that begin at track[0], track[1]… */
static void pedal_answer_windows(const float *track, float *answers)
{
    static const pedal_layer_tables first = {pedal_layer0_bias, 0, pedal_layer0_recurrent};
    pedal_layer_work layers[PEDAL_LAYERS];
    pedal_windows x;
    for (int step = 0; step < PEDAL_FRAME; step++) {
        for (int part = 0; part < PEDAL_TOGETHER; part++)
            x.part[part] = pedal_load(track + step + part * PEDAL_LANES);
        pedal_step_windows(&layers[0], &first, step, &x, 0);
#if PEDAL_LAYERS > 1
        static const pedal_layer_tables second = {pedal_layer1_bias, pedal_layer1_kernel, pedal_layer1_recurrent};
        pedal_step_windows(&layers[1], &second, step, &x, layers[0].hidden[~step & 1]);
#endif
    }
    const pedal_windows *hidden = layers[PEDAL_LAYERS - 1].hidden[PEDAL_FRAME & 1];
    for (int part = 0; part < PEDAL_TOGETHER; part++) {
        pedal_floats answer = pedal_splat(PEDAL_HEAD_BIAS);
        for (int unit = 0; unit < PEDAL_HIDDEN; unit++)
            answer += pedal_splat(pedal_head_weights[unit]) * hidden[unit].part[part];
        if (PEDAL_SKIP)
            answer += x.part[part];
        pedal_store(answers + part * PEDAL_LANES, answer);
    }
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    const uint64_t before = pedal_flush_denormals();
    /* The past, then as many samples as there are windows; what lies behind the block is anything. */
    float track[PEDAL_FRAME - 1 + PEDAL_WINDOWS], answers[PEDAL_WINDOWS];
    memset(track, 0, sizeof track);
    memcpy(track, state->past, sizeof state->past);
    for (size_t done = 0; done < n; done += PEDAL_WINDOWS) {
        const size_t count = n - done < PEDAL_WINDOWS ? n - done : PEDAL_WINDOWS;
        for (size_t t = 0; t < count; t++)
            track[PEDAL_FRAME - 1 + t] = pedal_encode(in[done + t]);
        pedal_answer_windows(track, answers);
        for (size_t t = 0; t < count; t++)
            out[done + t] = pedal_decode(answers[t]);
        memmove(track, track + count, sizeof state->past);
    }
    memcpy(state->past, track, sizeof state->past);
    pedal_restore_denormals(before);
}
