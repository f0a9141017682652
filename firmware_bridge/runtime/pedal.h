/* A guitar pedal as C99: one small network, played sample by sample.
 *
 *     static pedal_state pedal;
 *     pedal_init(&pedal);                          once
 *     pedal_process(&pedal, in, out, n);           per block, of any length; in and out may be the same array
 *     pedal_reset(&pedal);                         forgets what was played; as after pedal_init
 *
 * No allocation, no global state, no library but memcpy and memset, and a time per sample that does not depend on the
 * audio. Several states of one model may play side by side. Audio is mono, full scale is 1.0f or 32768, and the model
 * plays rightly at PEDAL_SAMPLE_RATE_HZ only. Sizes and formats are constants of the generated pedal_model.h; a player of
 * models that come over the link (pedal_player.h) has variables of the same names instead, and rooms for the largest.
 */
#ifndef PEDAL_H
#define PEDAL_H

#include <stddef.h>
#include <stdint.h>

#ifndef PEDAL_MODEL_H
#include "pedal_model.h"
#endif

/* For a model of its own, all room is used. */
#ifndef PEDAL_PLAYER
#define PEDAL_HIDDEN_ROOM PEDAL_HIDDEN
#define PEDAL_PADDED_ROOM PEDAL_HIDDEN_PADDED
#define PEDAL_PLAYED_LAYERS PEDAL_LAYERS
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* PEDAL_IO_INT16 is 0 or 1, from pedal_model.h. */
#if PEDAL_IO_INT16
typedef int16_t pedal_sample;
#else
typedef float pedal_sample;
#endif

/* PEDAL_HIDDEN_PADDED is PEDAL_HIDDEN, rounded up to a multiple of four; what lies behind the last unit stays 0. */
#if defined(PEDAL_ARITHMETIC_FLOAT)
typedef float pedal_cell;
#if defined(PEDAL_INT16_WEIGHTS) && PEDAL_INT16_WEIGHTS
typedef int16_t pedal_hidden;
#else
typedef float pedal_hidden;
#endif
#else
typedef int32_t pedal_cell;
typedef int16_t pedal_hidden;
#endif

#if defined(PEDAL_WAVENET)
#if defined(PEDAL_ARITHMETIC_FLOAT)
typedef float pedal_signal;
#else
typedef int16_t pedal_signal; /* read in pairs: aligned to four bytes by what lies behind it */
#endif
/* Tracks of past samples (pedal_wavenet.h), what one array of layers passes to the next, and where in each track the
 * next sample goes. Fastest where it lies at a multiple of 64 bytes. */
typedef struct {
    pedal_signal memory[PEDAL_MEMORY];
    pedal_signal passed[PEDAL_PASSED];
    uint32_t at[PEDAL_NUM_TRACKS];
} pedal_state;
#elif defined(PEDAL_FRAME)
/* A network that answers its last PEDAL_FRAME inputs from zero state remembers those before the next one. */
typedef struct {
    float past[PEDAL_FRAME - 1];
} pedal_state;
#elif defined(PEDAL_LANES)
/* PEDAL_UNITS is PEDAL_HIDDEN, rounded up to whole vectors of PEDAL_LANES; what lies behind the last unit stays 0. */
typedef struct {
    pedal_cell cell[PEDAL_UNITS];
    pedal_hidden hidden[PEDAL_UNITS];
} pedal_layer_state;

typedef struct {
    pedal_layer_state layers[PEDAL_LAYERS];
} pedal_state;
#else
/* cell: what a unit keeps for itself, an LSTM's cell or a GRU's state. */
typedef struct {
    pedal_cell cell[PEDAL_HIDDEN_ROOM];
    pedal_hidden hidden[PEDAL_PADDED_ROOM]; /* read in pairs: aligned to four bytes by what lies before it */
} pedal_layer_state;

/* All that a model remembers: PEDAL_STATE_BYTES of RAM. */
typedef struct {
    pedal_layer_state layers[PEDAL_LAYERS];
    pedal_hidden next[PEDAL_PADDED_ROOM]; /* a layer's new hidden state while the old one is still read */
} pedal_state;
#endif

#if defined(PEDAL_INITIAL_STATE)
extern const pedal_state pedal_initial_state;
#endif

#ifndef PEDAL_PLAYER
/* What pedal_model.h promises. */
typedef char pedal_state_size[sizeof(pedal_state) == PEDAL_STATE_BYTES ? 1 : -1];
#endif

/* As new: zero state, or the one that the model begins in. */
void pedal_init(pedal_state *state);

/* As after pedal_init. Real-time safe. */
void pedal_reset(pedal_state *state);

/* Play n samples. Real-time safe. */
void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n);

#ifdef __cplusplus
}
#endif

#endif
