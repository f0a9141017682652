/* TFLite's integer LSTM, for the schemes w8a8 (as LiteRT or as tflite-micro computes it) and tflm16x8.
 *
 * Gates in Q3.12, cells in int16, hidden states in int8 or int16 with a zero point; integers only. Of the ways in which
 * the interpreters differ, PEDAL_KERNELS_LITERT, PEDAL_KERNELS_TFLM or PEDAL_KERNELS_TFLM16X8
 * chooses; audio lies in one channel, or in two (coarse and fine steps, PEDAL_ARITHMETIC_TFLITE_PAIR).
 * Sources: tensorflow/lite/kernels/{lstm_eval.cc, fully_connected.cc, internal/reference/integer_ops/add.h};
 * tensorflow/lite/micro/kernels/{lstm_eval.h, fully_connected_common.cc, add_common.cc}.
 */
#include <string.h>

#include "pedal.h"

/* A folder that also holds players has the kernels of all of them; compiled for another model, this one is empty. */
#if defined(PEDAL_ARITHMETIC_TFLITE) || defined(PEDAL_ARITHMETIC_TFLITE_PAIR)

#include "pedal_audio.h"
#include "pedal_dsp.h"
#include "pedal_rescaling.h"
#include "pedal_tflite.h"
#if defined(PEDAL_KERNELS_LITERT)
#include "pedal_gemmlowp.h"
#else
#include "pedal_lines.h"
#endif

#if defined(PEDAL_KERNELS_TFLM16X8)
#define PEDAL_SIGNAL_BITS 16
#else
#define PEDAL_SIGNAL_BITS 8
#endif

#ifndef PEDAL_PLAYER
static const pedal_tflite_layer pedal_layer0 = PEDAL_LAYER0;
#if PEDAL_LAYERS > 1
static const pedal_tflite_layer pedal_layer1 = PEDAL_LAYER1;
#endif
#endif

/* A gate's pre-activation in Q3.12, from the sums of what is heard and of the own state. */
PEDAL_INLINE int32_t pedal_gate(int32_t heard, int32_t recurrent, pedal_factor heard_factor,
                                pedal_factor recurrent_factor, int narrow)
{
    const int32_t input_share = pedal_saturate_16(pedal_rescale_gate(heard, heard_factor, narrow));
    const int32_t hidden_share = pedal_rescale_gate(recurrent, recurrent_factor, narrow);
#if defined(PEDAL_KERNELS_LITERT)
    return pedal_saturate_16(input_share + hidden_share);
#else
    return pedal_saturate_16(input_share + pedal_saturate_16(hidden_share));
#endif
}

/* A product of gates and cell over 2^exponent. */
PEDAL_INLINE int32_t pedal_divide_product(int32_t product, int exponent)
{
#if defined(PEDAL_KERNELS_LITERT)
    return pedal_divide_rounded(product, exponent);
#else
    return pedal_divide_rounded((product + 1) >> 1, exponent - 1);
#endif
}

/* One unit's step from the sums of its gates: updates the cell and returns the hidden state. */
PEDAL_INLINE int32_t pedal_step_unit(pedal_gates heard, pedal_gates recurrent, int32_t *cell,
                                     const pedal_tflite_layer *layer)
{
#define PEDAL_GATE(name, n) pedal_gate(heard.name, recurrent.name, layer->heard[n], layer->recurrent[n], layer->narrow)
    const int32_t i = pedal_sigmoid(PEDAL_GATE(input, 0));
    const int32_t f = pedal_sigmoid(PEDAL_GATE(forget, 1));
    const int32_t g = pedal_tanh(PEDAL_GATE(candidate, 2), 3);
    const int32_t o = pedal_sigmoid(PEDAL_GATE(output, 3));
#undef PEDAL_GATE
    const int32_t kept = pedal_divide_product(f * *cell, 15);
    const int32_t written = pedal_divide_product(i * g, 15 + layer->cell_integer_bits);
    const int32_t c = pedal_saturate_16(kept + written);
    *cell = c;
    /* Twice the product fits 32 bits: neither factor reaches 2^15. */
    const int32_t h = pedal_rescale_doubled(2 * o * pedal_tanh(c, layer->cell_integer_bits), layer->hidden);
    return pedal_saturate(h + layer->hidden_zero_point, PEDAL_SIGNAL_BITS);
}

/* The first layer: hears one sample, in one channel or in two. */
PEDAL_INLINE void pedal_step_first(pedal_state *state, const int32_t heard[PEDAL_CHANNELS])
{
    pedal_layer_state *layer = &state->layers[0];
    const pedal_tflite_row *row = pedal_layer0_rows;
    const int16_t *kernel = pedal_layer0_kernel, *recurrent = pedal_layer0_recurrent;
    for (int unit = 0; unit < PEDAL_HIDDEN; unit++, row += 4, kernel += 4 * PEDAL_CHANNELS) {
        pedal_gates sums = {row[0].heard, row[1].heard, row[2].heard, row[3].heard};
        for (int channel = 0; channel < PEDAL_CHANNELS; channel++) {
            sums.input += kernel[channel] * heard[channel];
            sums.forget += kernel[PEDAL_CHANNELS + channel] * heard[channel];
            sums.candidate += kernel[2 * PEDAL_CHANNELS + channel] * heard[channel];
            sums.output += kernel[3 * PEDAL_CHANNELS + channel] * heard[channel];
        }
        const pedal_gates biases = {row[0].recurrent, row[1].recurrent, row[2].recurrent, row[3].recurrent};
        const pedal_gates own = pedal_sum_gates(recurrent, layer->hidden, PEDAL_HIDDEN_PADDED, biases);
        recurrent += 4 * PEDAL_HIDDEN_PADDED;
        state->next[unit] = (int16_t)pedal_step_unit(sums, own, &layer->cell[unit], &pedal_layer0);
    }
    memcpy(layer->hidden, state->next, (size_t)PEDAL_HIDDEN_PADDED * sizeof *state->next);
}

#if PEDAL_LAYERS > 1
/* The second layer: hears the first one's hidden state. */
PEDAL_INLINE void pedal_step_second(pedal_state *state)
{
    pedal_layer_state *layer = &state->layers[1];
    const pedal_tflite_row *row = pedal_layer1_rows;
    const int16_t *kernel = pedal_layer1_kernel, *recurrent = pedal_layer1_recurrent;
    for (int unit = 0; unit < PEDAL_HIDDEN; unit++, row += 4) {
        const pedal_gates heard_biases = {row[0].heard, row[1].heard, row[2].heard, row[3].heard};
        const pedal_gates own_biases = {row[0].recurrent, row[1].recurrent, row[2].recurrent, row[3].recurrent};
        const pedal_gates heard = pedal_sum_gates(kernel, state->layers[0].hidden, PEDAL_HIDDEN_PADDED, heard_biases);
        const pedal_gates own = pedal_sum_gates(recurrent, layer->hidden, PEDAL_HIDDEN_PADDED, own_biases);
        kernel += 4 * PEDAL_HIDDEN_PADDED;
        recurrent += 4 * PEDAL_HIDDEN_PADDED;
        state->next[unit] = (int16_t)pedal_step_unit(heard, own, &layer->cell[unit], &pedal_layer1);
    }
    memcpy(layer->hidden, state->next, (size_t)PEDAL_HIDDEN_PADDED * sizeof *state->next);
}
#endif

/* The dense head's answer on a grid of its own: bias, factor and zero point. */
PEDAL_INLINE int32_t pedal_head(int32_t sum, int32_t bias, pedal_factor factor, int32_t zero_point)
{
    return pedal_saturate(pedal_rescale_head(sum + bias, factor) + zero_point, PEDAL_SIGNAL_BITS);
}

#if defined(PEDAL_ADD_HEAD_FACTOR)
/* Head plus dry signal, each on its own grid. */
PEDAL_INLINE int32_t pedal_add_dry(int32_t head, int32_t dry)
{
    const pedal_factor head_factor = PEDAL_ADD_HEAD_FACTOR, dry_factor = PEDAL_ADD_DRY_FACTOR, factor = PEDAL_ADD_FACTOR;
    const int32_t one = INT32_C(1) << PEDAL_ADD_LEFT_SHIFT;
    const int32_t sum = pedal_rescale_twice((head - PEDAL_HEAD_ZERO_POINT) * one, head_factor) +
                        pedal_rescale_twice((dry - PEDAL_INPUT_ZERO_POINT) * one, dry_factor);
    return pedal_saturate(pedal_rescale_twice(sum, factor) + PEDAL_OUTPUT_ZERO_POINT, PEDAL_SIGNAL_BITS);
}
#endif

PEDAL_INLINE pedal_sample pedal_step(pedal_state *state, pedal_sample in)
{
    const pedal_factor head_factor = PEDAL_HEAD_FACTOR;
    const int32_t x = pedal_encode(in);
#if PEDAL_CHANNELS > 1
    /* Coarse steps, and what they leave in finer ones. */
    const int32_t coarse = (x + PEDAL_RATIO / 2) >> PEDAL_RATIO_BITS;
    const int32_t heard[PEDAL_CHANNELS] = {coarse, x - coarse * PEDAL_RATIO};
#else
    const int32_t heard[PEDAL_CHANNELS] = {x};
#endif
    pedal_step_first(state, heard);
#if PEDAL_LAYERS > 1
    if (PEDAL_PLAYED_LAYERS > 1)
        pedal_step_second(state);
#endif
    const int16_t *hidden = state->layers[PEDAL_PLAYED_LAYERS - 1].hidden;
    const int32_t sum = pedal_sum_row(pedal_head_weights, hidden, PEDAL_HIDDEN_PADDED);
    const int32_t head = pedal_head(sum, PEDAL_HEAD_BIAS, head_factor, PEDAL_HEAD_ZERO_POINT);
#if PEDAL_CHANNELS > 1
    const pedal_factor fine_factor = PEDAL_FINE_HEAD_FACTOR;
    const int32_t fine = pedal_head(sum, PEDAL_FINE_HEAD_BIAS, fine_factor, PEDAL_FINE_HEAD_ZERO_POINT);
    return pedal_decode_pair(head, fine, in);
#elif defined(PEDAL_ADD_HEAD_FACTOR)
    return pedal_decode(PEDAL_SKIP ? pedal_add_dry(head, x) : head);
#else
    return pedal_decode(head);
#endif
}

#ifndef PEDAL_PLAYER
void pedal_init(pedal_state *state)
{
#if defined(PEDAL_INITIAL_STATE)
    memcpy(state, &pedal_initial_state, sizeof *state);
#else
    memset(state, 0, sizeof *state);
    for (int unit = 0; unit < PEDAL_HIDDEN; unit++) {
        state->layers[0].hidden[unit] = (int16_t)pedal_layer0.hidden_zero_point;
#if PEDAL_LAYERS > 1
        state->layers[1].hidden[unit] = (int16_t)pedal_layer1.hidden_zero_point;
#endif
    }
#endif
}

void pedal_reset(pedal_state *state)
{
    pedal_init(state);
}
#endif

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    for (size_t t = 0; t < n; t++)
        out[t] = pedal_step(state, in[t]);
}

#endif
