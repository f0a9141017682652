/* Tables that all models of an arithmetic share, generated for a player. */
#ifndef PEDAL_PLAYER_TABLES_H
#define PEDAL_PLAYER_TABLES_H

#include <stdint.h>

/* Sigmoid of k/32, k = -512 ... 512, in Q0.31. */
extern const int32_t pedal_player_sigmoid_table[1025];

#endif
