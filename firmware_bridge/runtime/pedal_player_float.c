/* LSTMs in float. */
#define PEDAL_PLAYER_KERNEL pedal_player_float
#define PEDAL_PLAYER_ARITHMETIC PEDAL_LINK_ARITHMETIC_FLOAT
#include "pedal_player_real.h"
