/* pedal_float.c for models that came over the link. */
#include "pedal_player_kernels.h"
#include "pedal_player_shape.h"

#include <string.h>

static struct {
    int hidden, padded, layers, skip;
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

#define pedal_init pedal_player_float_init
#define pedal_reset pedal_player_float_forget
#define pedal_process pedal_player_float_play
#include "pedal_float.c"
#include "pedal_first_state.c"

static pedal_state state;

static float constant(const pedal_blob *blob, size_t offset)
{
    float value;
    memcpy(&value, blob->constants + offset, sizeof value);
    return value;
}

void pedal_player_float_choose(const pedal_blob *blob)
{
    played.hidden = blob->hidden;
    played.padded = blob->padded;
    played.layers = blob->layers;
    played.skip = blob->skip;
    played.head_bias = constant(blob, 0);
    played.input_gain = constant(blob, 16);
    played.output_gain = constant(blob, 32);
    for (int index = 0; index < blob->layers; index++) {
        played.bias[index] = blob->layer[index].rows;
        played.kernel[index] = blob->layer[index].kernel;
        played.recurrent[index] = blob->layer[index].recurrent;
    }
    played.head = blob->head;
    pedal_player_float_init(&state);
}

void pedal_player_float_reset(void)
{
    pedal_player_float_forget(&state);
}

void pedal_player_float_process(const pedal_player_sample *in, pedal_player_sample *out, size_t n)
{
    pedal_player_float_play(&state, in, out, n);
}
