/* The kernels of a player, a file for each arithmetic. */
#ifndef PEDAL_PLAYER_KERNELS_H
#define PEDAL_PLAYER_KERNELS_H

#include "pedal_player.h"

void pedal_player_float_choose(const pedal_blob *blob);
void pedal_player_float_reset(void);
void pedal_player_float_process(const pedal_player_sample *in, pedal_player_sample *out, size_t n);

void pedal_player_w8a16_choose(const pedal_blob *blob);
void pedal_player_w8a16_reset(void);
void pedal_player_w8a16_process(const pedal_player_sample *in, pedal_player_sample *out, size_t n);

#endif
