/* The tables of a frame network, which pedal_model.c holds: unit by unit, input by input, the four gates' weights (input,
 * forget, candidate, output), with the factors of pedal_lstm_lanes.h. */
#ifndef PEDAL_FRAMES_H
#define PEDAL_FRAMES_H

#include "pedal_model.h"

#define PEDAL_ROWS (4 * PEDAL_HIDDEN)
#define PEDAL_WEIGHTS (PEDAL_ROWS * PEDAL_HIDDEN)
#define PEDAL_ALIGNED __attribute__((aligned(64)))

#pragma GCC visibility push(hidden)
extern const float pedal_layer0_bias[PEDAL_ROWS], pedal_layer0_kernel[PEDAL_ROWS];
extern const float pedal_layer0_recurrent[PEDAL_WEIGHTS];
#if PEDAL_LAYERS > 1
extern const float pedal_layer1_bias[PEDAL_ROWS];
extern const float pedal_layer1_kernel[PEDAL_WEIGHTS], pedal_layer1_recurrent[PEDAL_WEIGHTS];
#endif
extern const float pedal_head_weights[PEDAL_HIDDEN];
#pragma GCC visibility pop

#endif
