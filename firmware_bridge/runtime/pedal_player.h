/* Plays models that came over the link, with the kernels of generated C, whose sizes are variables here.
 *
 * One model plays at a time. pedal_player_config.h of the project says for which samples and up to which size:
 * PEDAL_PLAYER_INT16, PEDAL_PLAYER_HIDDEN (a multiple of four). The model lies in flash and is not copied; its state takes
 * the room of the largest.
 */
#ifndef PEDAL_PLAYER_H
#define PEDAL_PLAYER_H

#include <stddef.h>
#include <stdint.h>

#include "pedal_blob.h"
#include "pedal_player_config.h"

#ifdef __cplusplus
extern "C" {
#endif

#if PEDAL_PLAYER_INT16
typedef int16_t pedal_player_sample;
#else
typedef float pedal_player_sample;
#endif

/* What these kernels can play; at any rate. */
pedal_capacity pedal_player_capacity(void);

/* Play this blob, which pedal_blob_read found right, from zero state; NULL: none, and the dry signal is heard. Not while
 * pedal_player_process runs. */
void pedal_player_choose(const pedal_blob *blob);

/* Back to zero state. Real-time safe. */
void pedal_player_reset(void);

/* Play n samples. Real-time safe. */
void pedal_player_process(const pedal_player_sample *in, pedal_player_sample *out, size_t n);

#ifdef __cplusplus
}
#endif

#endif
