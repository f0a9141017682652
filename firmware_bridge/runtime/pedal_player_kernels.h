/* The kernels of a player, a file for each arithmetic. */
#ifndef PEDAL_PLAYER_KERNELS_H
#define PEDAL_PLAYER_KERNELS_H

#include "pedal_player.h"

typedef struct {
    uint8_t arithmetic; /* PEDAL_LINK_ARITHMETIC_... */
    void (*choose)(const pedal_blob *blob);
    void (*forget)(void);
    void (*play)(const pedal_player_sample *in, pedal_player_sample *out, size_t n);
} pedal_player_kernel;

extern const pedal_player_kernel pedal_player_float, pedal_player_gru, pedal_player_w8a16, pedal_player_w8a8,
    pedal_player_w8a8_pair;

#endif
