/* In place of a generated pedal_model.h, before a kernel: rooms for the largest model. What is generated as a constant
 * elsewhere is a variable of the file that includes this; nothing but that file sees it, so compilers keep it in registers.
 *
 * Such a file names its PEDAL_PLAYER_KERNEL and PEDAL_PLAYER_ARITHMETIC, includes this, its kernel, has read_constants(), and
 * ends with pedal_player_end.h.
 */
#ifndef PEDAL_MODEL_H
#define PEDAL_MODEL_H

#include <string.h>

#include "pedal_blob.h"
#include "pedal_link_protocol.h"
#include "pedal_player_kernels.h"

#define PEDAL_PLAYER 1
#define PEDAL_IO_INT16 PEDAL_PLAYER_INT16
#define PEDAL_LAYERS PEDAL_BLOB_LAYERS
#define PEDAL_HIDDEN_ROOM PEDAL_PLAYER_HIDDEN
#define PEDAL_PADDED_ROOM PEDAL_PLAYER_HIDDEN

static struct {
    int hidden, padded, layers, skip;
} sizes;

#define PEDAL_HIDDEN sizes.hidden
#define PEDAL_HIDDEN_PADDED sizes.padded
#define PEDAL_PLAYED_LAYERS sizes.layers
#define PEDAL_SKIP sizes.skip

/* Every kernel has a pedal_process; here they meet in one firmware. */
#define PEDAL_PLAYER_JOIN(name, end) name##end
#define PEDAL_PLAYER_OWN(name, end) PEDAL_PLAYER_JOIN(name, end)
#define pedal_process PEDAL_PLAYER_OWN(PEDAL_PLAYER_KERNEL, _play)

#endif
