/* pedal_w8a16.c for models that came over the link. */
#define PEDAL_PLAYER_KERNEL pedal_player_w8a16
#define PEDAL_PLAYER_ARITHMETIC PEDAL_LINK_ARITHMETIC_W8A16
#include "pedal_player_shape.h"

#include "pedal_player_map.h"
#include "pedal_player_tables.h"

static struct {
    int32_t head_bias, head_multiplier;
    int head_shift, skip_shift, guard_bits, gate_bits[PEDAL_BLOB_LAYERS], cell_bits[PEDAL_BLOB_LAYERS];
    pedal_audio_map input, output;
    const void *rows[PEDAL_BLOB_LAYERS];
    const int16_t *kernel, *recurrent[PEDAL_BLOB_LAYERS], *head;
} played;

#define PEDAL_ARITHMETIC_W8A16 1
#define PEDAL_HEAD_BIAS played.head_bias
#define PEDAL_HEAD_MULTIPLIER played.head_multiplier
#define PEDAL_HEAD_SHIFT played.head_shift
#define PEDAL_SKIP_SHIFT played.skip_shift
#define PEDAL_OUTPUT_GUARD_BITS played.guard_bits
#define PEDAL_INPUT_ZERO_POINT 0
#define PEDAL_OUTPUT_ZERO_POINT 0
#define PEDAL_INPUT_LOW (-32768)
#define PEDAL_INPUT_HIGH 32767
#define pedal_layer0_rows ((const pedal_input_row *)played.rows[0])
#define pedal_layer1_rows ((const pedal_hidden_row *)played.rows[1])
#define pedal_layer0_recurrent played.recurrent[0]
#define pedal_layer1_recurrent played.recurrent[1]
#define pedal_layer1_kernel played.kernel
#define pedal_head_weights played.head
#define pedal_sigmoid_table pedal_player_sigmoid_table

#include "pedal_w8a16.c"

static void read_constants(const pedal_blob *blob)
{
    const uint8_t *constants = blob->constants;
    played.head_bias = (int32_t)pedal_get_32(constants);
    played.head_multiplier = (int32_t)pedal_get_32(constants + 4);
    played.head_shift = constants[8];
    played.skip_shift = constants[9];
    played.guard_bits = constants[10];
    for (int index = 0; index < blob->layers; index++) {
        played.gate_bits[index] = constants[11 + index];
        played.cell_bits[index] = constants[13 + index];
        pedal_layer_steps[index] = pedal_find_step(index, played.gate_bits[index]);
        played.rows[index] = blob->layer[index].rows;
        played.recurrent[index] = blob->layer[index].recurrent;
    }
    played.input = read_map(constants + 16);
    played.output = read_map(constants + 32);
    played.kernel = blob->layer[1].kernel;
    played.head = blob->head;
}

#include "pedal_player_end.h"
