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

/* Units whose sums are made together. Each of them is a chain of additions that wait for one another: several chains keep
 * a large processor busy. A microcontroller has too few registers for their addresses. */
#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define PEDAL_TOGETHER 1
#else
#define PEDAL_TOGETHER 4
#endif

/* Adds a value times its weights; of an idle row there is none. */
PEDAL_INLINE pedal_unit_sums pedal_add_product(pedal_unit_sums sums, const float *weights, float value, int idle)
{
    sums.first = PEDAL_FMA(weights[0], value, sums.first);
    sums.second = PEDAL_FMA(weights[1], value, sums.second);
    if (idle != 2)
        sums.third = PEDAL_FMA(weights[2], value, sums.third);
    if (idle != 3)
        sums.fourth = PEDAL_FMA(weights[PEDAL_UNIT_WEIGHTS - 1], value, sums.fourth);
    return sums;
}

/* The same for every value of a signal, and for several units, whose weights lie one after the other. */
PEDAL_INLINE void pedal_add_products(pedal_unit_sums *sums, int units, const float *weights, const float *signal,
                                     int count, int idle)
{
    if (units == 1) {
        PEDAL_UNROLL
        for (int k = 0; k < count; k++, weights += PEDAL_UNIT_WEIGHTS)
            *sums = pedal_add_product(*sums, weights, signal[k], idle);
    } else {
        for (int k = 0; k < count; k++, weights += PEDAL_UNIT_WEIGHTS)
            for (int n = 0; n < units; n++)
                sums[n] = pedal_add_product(sums[n], weights + n * count * PEDAL_UNIT_WEIGHTS, signal[k], idle);
    }
}

/* What a layer's units have and hear; tables begin at the next unit. */
typedef struct {
    const float *bias, *kernel, *recurrent, *signal;
    int inputs;
} pedal_layer_tables;

/* Some units, from `unit` on: their new states from the old. */
PEDAL_INLINE pedal_layer_tables pedal_step_units(pedal_layer_state *layer, float *next, pedal_layer_tables tables, int unit,
                                                 int units)
{
    pedal_unit_sums sums[PEDAL_TOGETHER];
    for (int n = 0; n < units; n++, tables.bias += 4) {
        sums[n].first = tables.bias[0];
        sums[n].second = tables.bias[1];
        sums[n].third = tables.bias[2];
        sums[n].fourth = tables.bias[3];
    }
    pedal_add_products(sums, units, tables.kernel, tables.signal, tables.inputs, PEDAL_IDLE_KERNEL_ROW);
    pedal_add_products(sums, units, tables.recurrent, layer->hidden, PEDAL_HIDDEN, PEDAL_IDLE_RECURRENT_ROW);
    tables.kernel += units * PEDAL_UNIT_WEIGHTS * tables.inputs;
    tables.recurrent += units * PEDAL_UNIT_WEIGHTS * PEDAL_HIDDEN;
    for (int n = 0; n < units; n++)
        next[unit + n] = pedal_step_unit(sums[n], &layer->cell[unit + n]);
    return tables;
}

/* One layer that hears `inputs` values: a new state from the old. */
PEDAL_INLINE void pedal_step_layer(pedal_layer_state *layer, float *next, const float *bias, const float *kernel,
                                   const float *recurrent, const float *signal, int inputs)
{
    pedal_layer_tables tables = {bias, kernel, recurrent, signal, inputs};
    int unit = 0;
    if (PEDAL_TOGETHER > 1)
        for (; unit + PEDAL_TOGETHER <= PEDAL_HIDDEN; unit += PEDAL_TOGETHER)
            tables = pedal_step_units(layer, next, tables, unit, PEDAL_TOGETHER);
    for (; unit < PEDAL_HIDDEN; unit++)
        tables = pedal_step_units(layer, next, tables, unit, 1);
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
