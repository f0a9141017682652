/* In place of a generated pedal_model.h, before a kernel: rooms for the largest model. What is generated as a constant
 * elsewhere is a variable of the file that includes this; nothing but that file sees it, so compilers keep it in registers.
 */
#ifndef PEDAL_MODEL_H
#define PEDAL_MODEL_H

#include "pedal_blob.h"
#include "pedal_player_config.h"

#define PEDAL_PLAYER 1
#define PEDAL_IO_INT16 PEDAL_PLAYER_INT16
#define PEDAL_LAYERS PEDAL_BLOB_LAYERS
#define PEDAL_HIDDEN_ROOM PEDAL_PLAYER_HIDDEN
#define PEDAL_PADDED_ROOM PEDAL_PLAYER_HIDDEN

#define PEDAL_HIDDEN played.hidden
#define PEDAL_HIDDEN_PADDED played.padded
#define PEDAL_PLAYED_LAYERS played.layers
#define PEDAL_SKIP played.skip

#endif
