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

#ifndef PEDAL_PLAYER

#define PEDAL_ROWS (4 * PEDAL_HIDDEN)

/* Unit by unit; in each, for every input in turn, its four rows (for an LSTM the gates: input, forget, candidate, output). */
extern const float pedal_layer0_bias[PEDAL_ROWS];
extern const float pedal_layer0_kernel[PEDAL_ROWS * PEDAL_HEARD];
extern const float pedal_layer0_recurrent[PEDAL_ROWS * PEDAL_HIDDEN];
#if PEDAL_LAYERS > 1
extern const float pedal_layer1_bias[PEDAL_ROWS];
extern const float pedal_layer1_kernel[PEDAL_ROWS * PEDAL_HIDDEN];
extern const float pedal_layer1_recurrent[PEDAL_ROWS * PEDAL_HIDDEN];
#endif
extern const float pedal_head_weights[PEDAL_SUMMED];
#endif

#endif
