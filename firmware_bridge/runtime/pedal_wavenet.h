/* The tables of a WaveNet, which pedal_model.c holds, and the tracks in which it remembers.
 *
 * A track is what a convolution reads: so many channels, each a row of PEDAL_LEAD samples of past and PEDAL_ROOM for new
 * ones. Where the room ends, the past is moved back to the front; until then nothing is copied.
 */
#ifndef PEDAL_WAVENET_H
#define PEDAL_WAVENET_H

#include "pedal_model.h"

#if defined(__GNUC__)
#define PEDAL_ALIGNED __attribute__((aligned(64)))
#else
#define PEDAL_ALIGNED
#endif

/* Samples that a layer plays at once, before the next layer plays them. */
#define PEDAL_PIECE 64

/* Layer by layer: kernel (taps, inputs, sums), bias, mixin, mix (C, C), mix bias; before an array's layers its entry,
 * behind them its head and, if it has one, the head's bias. */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif
extern const float pedal_weights[PEDAL_NUM_WEIGHTS] PEDAL_ALIGNED;
/* What endless silence makes of every track, channel by channel. */
extern const float pedal_rest[PEDAL_NUM_REST];
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
