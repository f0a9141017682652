/* The tables of a WaveNet in integers, which pedal_model.c holds. Signals are int16, weights int8 that lie as int16.
 *
 * Samples lie one after the other, each with PEDAL_WIDTH of its channels: an even number, so that channels are read in
 * pairs; what pads them is 0. Tracks are as in pedal_wavenet.h, of whole samples.
 */
#ifndef PEDAL_WAVENET_W8A16_H
#define PEDAL_WAVENET_W8A16_H

#include "pedal.h"
#include "pedal_factor.h"

/* Samples that a layer plays at once, before the next layer plays them. */
#define PEDAL_PIECE 64

/* Channels as they lie in memory. */
#define PEDAL_WIDTH(channels) (((channels) + 1) / 2 * 2)

/* How two signals on grids of their own are added; see pedal_add. */
typedef struct {
    pedal_factor one, other, result;
} pedal_sum;

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif
/* Layer by layer: kernel (taps, pairs of inputs, sums, 2), mixin (sums), mix (pairs of inputs, outputs, 2); before an
 * array's layers its entry, behind them its head, both (outputs, taps, inputs). Each begins at a multiple of two. */
extern const int16_t pedal_weights[PEDAL_NUM_WEIGHTS];
/* Of each of these that has a bias the bias; then the factors that bring sums to the next signal, see pedal_requantize. */
extern const int32_t pedal_constants[PEDAL_NUM_CONSTANTS];
/* Of every layer: its sums, total and signal, where their grids ask for more than a shift. */
extern const pedal_sum pedal_sums_of_layers[PEDAL_NUM_SUMS];
/* What endless silence makes of every track, channel by channel. */
extern const int16_t pedal_rest[PEDAL_NUM_REST];
#if defined(PEDAL_SIGMOIDS)
/* LiteRT's: of k/24 in Q0.16; one more than 255, which is the last. */
extern const uint16_t pedal_sigmoids[257];
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
