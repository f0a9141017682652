/* How a model begins: in zero state, or in one of its own, which pedal_model.c holds. For all kernels but one. */
#include <string.h>

#include "pedal.h"

void pedal_init(pedal_state *state)
{
#if defined(PEDAL_INITIAL_STATE)
    memcpy(state, &pedal_initial_state, sizeof *state);
#else
    memset(state, 0, sizeof *state);
#endif
}

void pedal_reset(pedal_state *state)
{
    pedal_init(state);
}
