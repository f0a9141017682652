/* The tables of a float model (float32 and w8 files), which pedal_model.c holds. */
#ifndef PEDAL_FLOAT_H
#define PEDAL_FLOAT_H

#ifndef PEDAL_MODEL_H
#include "pedal_model.h"
#endif

/* How many values the first layer hears and the output sums: dense layers may lie between (pedal_dense.h). */
#ifndef PEDAL_HEARD
#define PEDAL_HEARD 1
#endif
#ifndef PEDAL_SUMMED
#define PEDAL_SUMMED PEDAL_HIDDEN
#endif

/* Weights of one unit for one value: an LSTM's gates (input, forget, candidate, output), or a GRU's update, reset and
 * candidate, whose sums of what is heard and of what is recalled are two. */
#if defined(PEDAL_CELL_GRU)
#define PEDAL_UNIT_WEIGHTS 3
#else
#define PEDAL_UNIT_WEIGHTS 4
#endif

#ifndef PEDAL_PLAYER

#define PEDAL_BIASES (4 * PEDAL_HIDDEN)
#define PEDAL_ROWS (PEDAL_UNIT_WEIGHTS * PEDAL_HIDDEN)

/* Unit by unit; in each, for every input in turn, its weights. */
extern const float pedal_layer0_bias[PEDAL_BIASES];
extern const float pedal_layer0_kernel[PEDAL_ROWS * PEDAL_HEARD];
extern const float pedal_layer0_recurrent[PEDAL_ROWS * PEDAL_HIDDEN];
#if PEDAL_LAYERS > 1
extern const float pedal_layer1_bias[PEDAL_BIASES];
extern const float pedal_layer1_kernel[PEDAL_ROWS * PEDAL_HIDDEN];
extern const float pedal_layer1_recurrent[PEDAL_ROWS * PEDAL_HIDDEN];
#endif
extern const float pedal_head_weights[PEDAL_SUMMED];
#endif

#endif
