/* TFLite's integer LSTM: constants of a layer, and the tables of a model, which pedal_model.c holds. */
#ifndef PEDAL_TFLITE_H
#define PEDAL_TFLITE_H

#include <stdint.h>

#include "pedal_factor.h"
#include "pedal_integer_tables.h"

/* What the gates of a layer share; gates in the order input, forget, candidate, output. */
typedef struct {
    pedal_factor heard[4], recurrent[4]; /* from sums to gate pre-activations in Q3.12 */
    pedal_factor hidden;                 /* from output gate times tanh to the hidden state */
    int cell_integer_bits, hidden_zero_point;
    int narrow; /* twice every sum, shifted to the left by its factor, fits 32 bits: the generator proved it */
} pedal_tflite_layer;

/* Biases of one row, zero points included: of what the layer hears, and of its own state. Twice as large where the layer
 * is narrow, as all weights are. */
typedef struct {
    int32_t heard, recurrent;
} pedal_tflite_row;

#ifndef PEDAL_PLAYER
/* Rows unit by unit: input, forget, candidate and output gate. Weights likewise, unit by unit: for every four hidden
 * states four weights of each gate; of the first layer's kernel, per row one for each channel. */
extern const pedal_tflite_row pedal_layer0_rows[PEDAL_ROWS];
extern const int16_t pedal_layer0_kernel[PEDAL_ROWS * PEDAL_CHANNELS];
extern const int16_t pedal_layer0_recurrent[PEDAL_WEIGHTS];
#if PEDAL_LAYERS > 1
extern const pedal_tflite_row pedal_layer1_rows[PEDAL_ROWS];
extern const int16_t pedal_layer1_kernel[PEDAL_WEIGHTS];
extern const int16_t pedal_layer1_recurrent[PEDAL_WEIGHTS];
#endif
extern const int16_t pedal_head_weights[PEDAL_HIDDEN_PADDED];

#if defined(PEDAL_KERNELS_LITERT)
/* See pedal_gemmlowp.h. Cells of 0 or 1 integer bits have tables of their own: lines as 65536 times value plus slope,
 * eight corrections to a word. */
extern const int16_t pedal_reciprocal_steps[257];
extern const uint8_t pedal_reciprocal_beyond[32769];
#if defined(PEDAL_CELL_OF_0_BITS)
extern const int32_t pedal_reciprocal0_lines[257];
extern const uint32_t pedal_reciprocal0_corrections[4097];
#endif
#if defined(PEDAL_CELL_OF_1_BITS)
extern const int32_t pedal_reciprocal1_lines[257];
extern const uint32_t pedal_reciprocal1_corrections[4097];
#endif
#else
/* Sigmoid of k/24, k = 0 ... 255, in 65536ths. */
extern const uint16_t pedal_sigmoid_nodes[256];
#endif

/* The sample of every int8 answer; with guard bits where two answers and the dry signal are put together. */
#if PEDAL_IO_INT16 && PEDAL_CHANNELS > 1
extern const int32_t pedal_coarse_samples[256];
extern const int32_t pedal_fine_samples[256];
#elif PEDAL_IO_INT16 && !defined(PEDAL_KERNELS_TFLM16X8)
extern const int16_t pedal_answer_samples[256];
#endif
#endif

#endif
