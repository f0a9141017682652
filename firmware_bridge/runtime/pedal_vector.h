/* The tables of a float model for machines with vectors, which pedal_model.c holds.
 *
 * Units come in groups of PEDAL_LANES; behind the last unit lie zeros. Everything of a group lies together, row by row,
 * four of them (pedal_lstm_lanes.h and pedal_gru_lanes.h say which, and with what factors).
 *
 * A matrix is read group by group of states, PEDAL_TOGETHER groups of rows at once: chunk of rows, state (or pair of
 * states), group of the chunk, gate, lane.
 */
#ifndef PEDAL_VECTOR_H
#define PEDAL_VECTOR_H

#include <stdint.h>

#include "pedal_model.h"

#define PEDAL_GROUPS (PEDAL_UNITS / PEDAL_LANES)
#define PEDAL_ROWS (4 * PEDAL_UNITS)
#define PEDAL_WEIGHTS (PEDAL_ROWS * PEDAL_UNITS)
#define PEDAL_ALIGNED __attribute__((aligned(64)))

/* How many values the first layer hears and the output sums: dense layers may lie between (pedal_dense.h). */
#ifndef PEDAL_HEARD
#define PEDAL_HEARD 1
#endif
#ifndef PEDAL_SUMMED
#define PEDAL_SUMMED PEDAL_UNITS
#endif

/* Tables belong to the library: another library's cannot take their place, so that they need not be looked up. */
#pragma GCC visibility push(hidden)
extern const float pedal_layer0_bias[PEDAL_ROWS], pedal_layer0_kernel[PEDAL_ROWS * PEDAL_HEARD];
#if PEDAL_LAYERS > 1
extern const float pedal_layer1_bias[PEDAL_ROWS];
#endif
extern const float pedal_head_weights[PEDAL_SUMMED];

#if PEDAL_INT16_WEIGHTS
/* A weight is its int16 times the step of its row, which holds the step of the states as well. */
typedef int16_t pedal_weight;
#define PEDAL_STEPS(name) extern const float name[PEDAL_ROWS];
#else
typedef float pedal_weight;
#define PEDAL_STEPS(name)
#endif

extern const pedal_weight pedal_layer0_recurrent[PEDAL_WEIGHTS];
PEDAL_STEPS(pedal_layer0_recurrent_steps)
#if PEDAL_LAYERS > 1
extern const pedal_weight pedal_layer1_kernel[PEDAL_WEIGHTS], pedal_layer1_recurrent[PEDAL_WEIGHTS];
PEDAL_STEPS(pedal_layer1_kernel_steps)
PEDAL_STEPS(pedal_layer1_recurrent_steps)
#endif
#pragma GCC visibility pop

#endif
