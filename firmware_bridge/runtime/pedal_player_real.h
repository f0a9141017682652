/* pedal_float.c for models that came over the link, one of its cells: a player's whole file but for its name. */
#include "pedal_player_shape.h"

static struct {
    float head_bias, input_gain, output_gain;
    const float *bias[PEDAL_BLOB_LAYERS], *kernel[PEDAL_BLOB_LAYERS], *recurrent[PEDAL_BLOB_LAYERS], *head;
} played;

#define PEDAL_ARITHMETIC_FLOAT 1
#define PEDAL_HEAD_BIAS played.head_bias
#define PEDAL_INPUT_GAIN played.input_gain
#define PEDAL_OUTPUT_GAIN played.output_gain
#define pedal_layer0_bias played.bias[0]
#define pedal_layer0_kernel played.kernel[0]
#define pedal_layer0_recurrent played.recurrent[0]
#define pedal_layer1_bias played.bias[1]
#define pedal_layer1_kernel played.kernel[1]
#define pedal_layer1_recurrent played.recurrent[1]
#define pedal_head_weights played.head

#include "pedal_float.c"

static float constant(const pedal_blob *blob, size_t offset)
{
    float value;
    memcpy(&value, blob->constants + offset, sizeof value);
    return value;
}

static void read_constants(const pedal_blob *blob)
{
    played.head_bias = constant(blob, 0);
    played.input_gain = constant(blob, 16);
    played.output_gain = constant(blob, 32);
    for (int index = 0; index < blob->layers; index++) {
        played.bias[index] = blob->layer[index].rows;
        played.kernel[index] = blob->layer[index].kernel;
        played.recurrent[index] = blob->layer[index].recurrent;
    }
    played.head = blob->head;
}

#include "pedal_player_end.h"
