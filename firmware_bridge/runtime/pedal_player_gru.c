/* GRUs in float. */
#define PEDAL_PLAYER_KERNEL pedal_player_gru
#define PEDAL_PLAYER_ARITHMETIC PEDAL_LINK_ARITHMETIC_GRU
#define PEDAL_CELL_GRU 1
#include "pedal_player_real.h"
