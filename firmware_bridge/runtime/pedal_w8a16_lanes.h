/* The tables of a w8a16 model for machines with vectors, which pedal_model.c holds; letters as in docs/integer-lstm.md.
 *
 * Units come in groups of PEDAL_LANES; behind the last unit lie zeros. Rows lie group by group, in a group gate by gate:
 * input, forget, candidate, output. A matrix is read pair by pair of states, PEDAL_TOGETHER groups of rows at once.
 */
#ifndef PEDAL_W8A16_LANES_H
#define PEDAL_W8A16_LANES_H

#include <stdint.h>

#include "pedal_model.h"

#define PEDAL_GROUPS (PEDAL_UNITS / PEDAL_LANES)
#define PEDAL_ROWS (4 * PEDAL_UNITS)
#define PEDAL_WEIGHTS (PEDAL_ROWS * PEDAL_UNITS)
#define PEDAL_ALIGNED __attribute__((aligned(64)))

/* Rows of a matrix that multiplies hidden states: w, m and t. */
typedef struct {
    const int16_t *weights;
    const int32_t *multipliers, *shifts;
} pedal_matrix;

#pragma GCC visibility push(hidden)
/* B, and p of the first layer. */
extern const int32_t pedal_layer0_bias[PEDAL_ROWS], pedal_layer0_factors[PEDAL_ROWS];
extern const int16_t pedal_layer0_recurrent[PEDAL_WEIGHTS];
extern const int32_t pedal_layer0_recurrent_multipliers[PEDAL_ROWS], pedal_layer0_recurrent_shifts[PEDAL_ROWS];
#if PEDAL_LAYERS > 1
extern const int32_t pedal_layer1_bias[PEDAL_ROWS];
extern const int16_t pedal_layer1_kernel[PEDAL_WEIGHTS], pedal_layer1_recurrent[PEDAL_WEIGHTS];
extern const int32_t pedal_layer1_kernel_multipliers[PEDAL_ROWS], pedal_layer1_kernel_shifts[PEDAL_ROWS];
extern const int32_t pedal_layer1_recurrent_multipliers[PEDAL_ROWS], pedal_layer1_recurrent_shifts[PEDAL_ROWS];
#endif
extern const int16_t pedal_head_weights[PEDAL_UNITS];

/* Sigmoid of k/32, k = -512 ... 512, in Q0.31. */
extern const int32_t pedal_sigmoid_table[1025];
#pragma GCC visibility pop

#endif
