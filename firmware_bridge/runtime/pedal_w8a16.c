/* The scheme w8a16: int8 weights, int16 audio and hidden states, 31-bit cells; integers only.
 *
 * docs/integer-lstm.md of neuralpedal specifies every bit; names and letters are that page's. Nothing here overflows,
 * whatever the audio: the generator proved it from the weights.
 */
#include <string.h>

#include "pedal.h"

/* A folder that also holds players has the kernels of all of them; compiled for another model, this one is empty. */
#if defined(PEDAL_ARITHMETIC_W8A16)

#include "pedal_audio.h"
#include "pedal_dsp.h"
#include "pedal_w8a16.h"
#include "pedal_w8a16_answer.h"

#define PEDAL_TANH_ONE (INT32_C(1) << 30)

/* Formats of a layer: F and C of the page. */
typedef struct {
    int gate_bits, cell_bits;
} pedal_format;

/* The four gates' pre-activations of one unit, in F. */
typedef pedal_gates pedal_pre;

/* Sigmoid in Q0.31 of z with n fraction bits. */
PEDAL_INLINE int32_t pedal_sigmoid(int32_t z, int n)
{
    const int32_t scaled = n <= PEDAL_ARGUMENT_BITS
                               ? pedal_saturate(z, n + 5) * (INT32_C(1) << (PEDAL_ARGUMENT_BITS - n))
                               : pedal_saturate(z >> (n - PEDAL_ARGUMENT_BITS), PEDAL_ARGUMENT_BITS + 5);
    const int32_t place = scaled + (INT32_C(16) << PEDAL_ARGUMENT_BITS);
    const int32_t *node = pedal_sigmoid_table + (place >> 15);
    /* slope * e / 2^15, as twice the slope over 2^16. */
    return pedal_multiply_wide_add((node[1] - node[0]) * 2, place & 32767, node[0]);
}

/* Tanh in Q0.30: one fraction bit less doubles the argument. */
PEDAL_INLINE int32_t pedal_tanh(int32_t z, int n)
{
    return pedal_sigmoid(z, n - 1) - PEDAL_TANH_ONE;
}

/* One unit's step from its pre-activations: updates the cell and returns the hidden state. */
PEDAL_INLINE int32_t pedal_step_unit(pedal_pre z, int32_t *cell, pedal_format format)
{
    const int32_t i = pedal_sigmoid(z.input, format.gate_bits);
    const int32_t f = pedal_sigmoid(z.forget, format.gate_bits);
    const int32_t g = pedal_tanh(z.candidate, format.gate_bits);
    const int32_t o = pedal_sigmoid(z.output, format.gate_bits);
    const int32_t candidate = (g + (INT32_C(1) << (29 - format.cell_bits))) >> (30 - format.cell_bits);
    const int64_t sum = (int64_t)f * *cell + (int64_t)i * candidate + (INT64_C(1) << 30);
    const int32_t c = pedal_saturate((int32_t)(sum >> 31), 31);
    *cell = c;
    /* (o * tanh + 2^45) >> 46: the low word cannot carry into what is kept. */
    const int32_t high = (int32_t)(((int64_t)o * pedal_tanh(c, format.cell_bits)) >> 32);
    return pedal_saturate_16((high + (1 << 13)) >> 14);
}

PEDAL_INLINE int32_t pedal_scaled(int32_t sum, int32_t multiplier, int32_t shift)
{
    return pedal_multiply_wide(sum, multiplier) >> shift;
}

/* The first layer: hears one int16 sample. */
PEDAL_INLINE void pedal_step_first(pedal_state *state, int32_t x, pedal_format format)
{
    static const pedal_gates nothing = {0, 0, 0, 0};
    const int hidden = PEDAL_HIDDEN, padded = PEDAL_HIDDEN_PADDED;
    pedal_layer_state *layer = &state->layers[0];
    const pedal_input_row *row = pedal_layer0_rows;
    const int16_t *weights = pedal_layer0_recurrent;
    for (int unit = 0; unit < hidden; unit++, row += 4, weights += 4 * padded) {
        pedal_pre z = pedal_sum_gates(weights, layer->hidden, padded, nothing);
#define PEDAL_GATE(sum, r) \
    pedal_multiply_wide_add((r).input_factor, x, (r).bias) + pedal_scaled(sum, (r).multiplier, (r).shift)
        z.input = PEDAL_GATE(z.input, row[0]);
        z.forget = PEDAL_GATE(z.forget, row[1]);
        z.candidate = PEDAL_GATE(z.candidate, row[2]);
        z.output = PEDAL_GATE(z.output, row[3]);
#undef PEDAL_GATE
        state->next[unit] = (int16_t)pedal_step_unit(z, &layer->cell[unit], format);
    }
    memcpy(layer->hidden, state->next, (size_t)padded * sizeof *state->next);
}

#if PEDAL_LAYERS > 1
/* The second layer: hears the first one's hidden state. */
PEDAL_INLINE void pedal_step_second(pedal_state *state, pedal_format format)
{
    static const pedal_gates nothing = {0, 0, 0, 0};
    const int hidden = PEDAL_HIDDEN, padded = PEDAL_HIDDEN_PADDED;
    pedal_layer_state *layer = &state->layers[1];
    const pedal_hidden_row *row = pedal_layer1_rows;
    const int16_t *kernel = pedal_layer1_kernel, *recurrent = pedal_layer1_recurrent;
    for (int unit = 0; unit < hidden; unit++, row += 4) {
        const pedal_gates heard = pedal_sum_gates(kernel, state->layers[0].hidden, padded, nothing);
        pedal_pre z = pedal_sum_gates(recurrent, layer->hidden, padded, nothing);
        kernel += 4 * padded;
        recurrent += 4 * padded;
#define PEDAL_GATE(gate, r)                                                                           \
    (r).bias + pedal_scaled(heard.gate, (r).kernel_multiplier, (r).kernel_shift) + pedal_scaled(z.gate, (r).multiplier, \
                                                                                               (r).shift)
        z.input = PEDAL_GATE(input, row[0]);
        z.forget = PEDAL_GATE(forget, row[1]);
        z.candidate = PEDAL_GATE(candidate, row[2]);
        z.output = PEDAL_GATE(output, row[3]);
#undef PEDAL_GATE
        state->next[unit] = (int16_t)pedal_step_unit(z, &layer->cell[unit], format);
    }
    memcpy(layer->hidden, state->next, (size_t)padded * sizeof *state->next);
}
#endif

#if defined(PEDAL_PLAYER)
#include "pedal_player_steps.h"
#endif

/* All layers. */
PEDAL_INLINE void pedal_step_layers(pedal_state *state, int32_t x)
{
#if defined(PEDAL_PLAYER)
    for (int index = 0; index < PEDAL_PLAYED_LAYERS; index++)
        pedal_layer_steps[index](state, x);
#else
    const pedal_format first = {PEDAL_LAYER0_GATE_FRACTION_BITS, PEDAL_LAYER0_CELL_FRACTION_BITS};
    pedal_step_first(state, x, first);
#if PEDAL_LAYERS > 1
    const pedal_format second = {PEDAL_LAYER1_GATE_FRACTION_BITS, PEDAL_LAYER1_CELL_FRACTION_BITS};
    pedal_step_second(state, second);
#endif
#endif
}

void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    for (size_t t = 0; t < n; t++) {
        const int32_t x = pedal_encode(in[t]);
        pedal_step_layers(state, x);
        const int32_t sum = pedal_sum_row(pedal_head_weights, state->layers[PEDAL_PLAYED_LAYERS - 1].hidden,
                                          PEDAL_HIDDEN_PADDED);
        out[t] = pedal_decode(pedal_answer(sum, x));
    }
}

#endif
