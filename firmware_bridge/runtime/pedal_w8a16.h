/* The tables of a w8a16 model, which pedal_model.c holds; letters as in docs/integer-lstm.md. */
#ifndef PEDAL_W8A16_H
#define PEDAL_W8A16_H

#include <stdint.h>

#include "pedal_integer_tables.h"
#ifndef PEDAL_MODEL_H
#include "pedal_model.h"
#endif

/* A gate's row of the first layer: B, p, and m and t of its recurrent weights. */
typedef struct {
    int32_t bias, input_factor;
    int16_t multiplier, shift;
} pedal_input_row;

/* A gate's row of the second layer: B, and m and t of both matrices. */
typedef struct {
    int32_t bias;
    int16_t kernel_multiplier, kernel_shift, multiplier, shift;
} pedal_hidden_row;

#ifndef PEDAL_PLAYER
/* Rows unit by unit: input, forget, candidate and output gate. Weights likewise, unit by unit: for every four hidden
 * states four weights of each gate. */
extern const pedal_input_row pedal_layer0_rows[PEDAL_ROWS];
extern const int16_t pedal_layer0_recurrent[PEDAL_WEIGHTS];
#if PEDAL_LAYERS > 1
extern const pedal_hidden_row pedal_layer1_rows[PEDAL_ROWS];
extern const int16_t pedal_layer1_kernel[PEDAL_WEIGHTS];
extern const int16_t pedal_layer1_recurrent[PEDAL_WEIGHTS];
#endif
extern const int16_t pedal_head_weights[PEDAL_HIDDEN_PADDED];
#endif

/* Sigmoid of k/32, k = -512 ... 512, in Q0.31. */
extern const int32_t pedal_sigmoid_table[1025];

#endif
