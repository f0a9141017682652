/* The tables of a float model for machines with vectors, which pedal_model.c holds.
 *
 * Units come in groups of PEDAL_LANES; behind the last unit lie zeros. Everything of a group lies together, gate by gate:
 * input, forget, candidate, output. Rows of the input and the output gate are halved: sigmoid x = (1 + tanh(x / 2)) / 2.
 */
#ifndef PEDAL_VECTOR_H
#define PEDAL_VECTOR_H

#include <stdint.h>

#include "pedal_model.h"

#define PEDAL_GROUPS (PEDAL_UNITS / PEDAL_LANES)
#define PEDAL_ROWS (4 * PEDAL_UNITS)
#define PEDAL_ALIGNED __attribute__((aligned(64)))

extern const float pedal_layer0_bias[PEDAL_ROWS], pedal_layer0_kernel[PEDAL_ROWS];
#if PEDAL_LAYERS > 1
extern const float pedal_layer1_bias[PEDAL_ROWS];
#endif
extern const float pedal_head_weights[PEDAL_UNITS];

#if PEDAL_INT16_WEIGHTS
/* Hidden states are read in pairs; sums of at most PEDAL_SEGMENT states fit 32 bits. A weight is its int16 times the
 * step of its row and segment, which holds the step of the states as well. */
#define PEDAL_PAIRS ((PEDAL_HIDDEN + 1) / 2)
#define PEDAL_SEGMENTS ((2 * PEDAL_PAIRS + PEDAL_SEGMENT - 1) / PEDAL_SEGMENT)
typedef int16_t pedal_weight;
#define PEDAL_WEIGHTS (PEDAL_ROWS * 2 * PEDAL_PAIRS)
#define PEDAL_STEPS(name) extern const float name[PEDAL_ROWS * PEDAL_SEGMENTS];
#else
typedef float pedal_weight;
#define PEDAL_WEIGHTS (PEDAL_ROWS * PEDAL_HIDDEN)
#define PEDAL_STEPS(name)
#endif

extern const pedal_weight pedal_layer0_recurrent[PEDAL_WEIGHTS];
PEDAL_STEPS(pedal_layer0_recurrent_steps)
#if PEDAL_LAYERS > 1
extern const pedal_weight pedal_layer1_kernel[PEDAL_WEIGHTS], pedal_layer1_recurrent[PEDAL_WEIGHTS];
PEDAL_STEPS(pedal_layer1_kernel_steps)
PEDAL_STEPS(pedal_layer1_recurrent_steps)
#endif

#endif
