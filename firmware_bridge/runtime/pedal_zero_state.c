/* For kernels whose state begins as zeros, all but one. */
#include <string.h>

#include "pedal.h"

void pedal_init(pedal_state *state)
{
    memset(state, 0, sizeof *state);
}

void pedal_reset(pedal_state *state)
{
    pedal_init(state);
}
