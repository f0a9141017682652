/* Float arithmetic, for files of the schemes float32 and w8 (whose weights the generator multiplied with their scales).
 */
#include <string.h>

#include "pedal.h"

/* A folder that also holds players has the kernels of all of them; compiled for another model, this one is empty. */
#if defined(PEDAL_ARITHMETIC_FLOAT)

#include "pedal_activations.h"
#include "pedal_audio.h"
#include "pedal_float.h"
#if defined(PEDAL_FRONT) || defined(PEDAL_BEHIND)
#include "pedal_dense.h"
#endif
#if defined(PEDAL_CELL_GRU)
#include "pedal_gru_unit.h"
#else
#include "pedal_lstm_unit.h"
#endif

PEDAL_INLINE pedal_unit_sums pedal_add_products(pedal_unit_sums sums, const float *weights, const float *signal,
                                                int count, int idle)
{
    PEDAL_UNROLL
    for (int k = 0; k < count; k++, weights += 4) {
        const float value = signal[k];
        sums.first = PEDAL_FMA(weights[0], value, sums.first);
        sums.second = PEDAL_FMA(weights[1], value, sums.second);
        if (idle != 2)
            sums.third = PEDAL_FMA(weights[2], value, sums.third);
        if (idle != 3)
            sums.fourth = PEDAL_FMA(weights[3], value, sums.fourth);
    }
    return sums;
}

/* One layer that hears `inputs` values: a new state from the old. */
PEDAL_INLINE void pedal_step_layer(pedal_layer_state *layer, float *next, const float *bias, const float *kernel,
                                   const float *recurrent, const float *signal, int inputs)
{
    for (int unit = 0; unit < PEDAL_HIDDEN; unit++) {
        pedal_unit_sums sums = {bias[0], bias[1], bias[2], bias[3]};
        sums = pedal_add_products(sums, kernel, signal, inputs, PEDAL_IDLE_KERNEL_ROW);
        sums = pedal_add_products(sums, recurrent, layer->hidden, PEDAL_HIDDEN, PEDAL_IDLE_RECURRENT_ROW);
        bias += 4;
        kernel += 4 * inputs;
        recurrent += 4 * PEDAL_HIDDEN;
        next[unit] = pedal_step_unit(sums, &layer->cell[unit]);
    }
    memcpy(layer->hidden, next, (size_t)PEDAL_HIDDEN_PADDED * sizeof *next);
}

PEDAL_INLINE float pedal_step(pedal_state *state, float x)
{
    pedal_layer_state *layers = state->layers;
    const float *signal = &x;
#if defined(PEDAL_FRONT)
    PEDAL_FRONT(PEDAL_PLAY_DENSE)
#endif
    pedal_step_layer(&layers[0], state->next, pedal_layer0_bias, pedal_layer0_kernel, pedal_layer0_recurrent, signal,
                     PEDAL_HEARD);
#if PEDAL_LAYERS > 1
    if (PEDAL_PLAYED_LAYERS > 1)
        pedal_step_layer(&layers[1], state->next, pedal_layer1_bias, pedal_layer1_kernel, pedal_layer1_recurrent,
                         layers[0].hidden, PEDAL_HIDDEN);
#endif
    signal = layers[PEDAL_PLAYED_LAYERS - 1].hidden;
#if defined(PEDAL_BEHIND)
    PEDAL_BEHIND(PEDAL_PLAY_DENSE)
#endif
    float y = PEDAL_HEAD_BIAS;
    for (int k = 0; k < PEDAL_SUMMED; k++)
        y = PEDAL_FMA(pedal_head_weights[k], signal[k], y);
    if (PEDAL_SKIP)
        y += x;
    return y;
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    for (size_t t = 0; t < n; t++)
        out[t] = pedal_decode(pedal_step(state, pedal_encode(in[t])));
}

#endif
