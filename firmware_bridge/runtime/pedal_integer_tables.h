/* Sizes of the integer kernels' tables. Rows unit by unit: input, forget, candidate and output gate; weights likewise, for
 * every four hidden states four of each gate. */
#ifndef PEDAL_INTEGER_TABLES_H
#define PEDAL_INTEGER_TABLES_H

#ifndef PEDAL_MODEL_H
#include "pedal_model.h"
#endif

/* Weights are read four at a time. */
#if defined(__GNUC__)
#define PEDAL_ALIGNED __attribute__((aligned(8)))
#else
#define PEDAL_ALIGNED
#endif

#define PEDAL_ROWS (4 * PEDAL_HIDDEN)
#define PEDAL_WEIGHTS (PEDAL_ROWS * PEDAL_HIDDEN_PADDED)

#endif
