/* pedal_tflite.c in LiteRT's arithmetic for models that came over the link: a player's whole file but for its channels. */
#include "pedal_player_shape.h"

#include "pedal_player_map.h"

#define PEDAL_KERNELS_LITERT 1
#define PEDAL_CELL_OF_0_BITS 1
#define PEDAL_CELL_OF_1_BITS 1
#define PEDAL_OUTPUT_IS_INT8 1
#include "pedal_tflite.h"

/* As it lies in the blob: words of 32 bits. */
typedef struct {
    int32_t head_bias;
    pedal_factor head_factor;
    int32_t head_zero_point, fine_bias;
    pedal_factor fine_factor;
    int32_t fine_zero_point;
    pedal_factor add_head, add_dry, add_total;
    int32_t add_left_shift, input_zero_point, input_low, input_high, output_zero_point, ratio_bits, dry_shift;
    float coarse_scale, fine_scale;
    uint32_t dry_multiplier[2];
} pedal_tflite_settings;

typedef char pedal_settings_size[sizeof(pedal_tflite_settings) == PEDAL_BLOB_SETTINGS_BYTES ? 1 : -1];
typedef char pedal_layer_format_size[sizeof(pedal_tflite_layer) == PEDAL_BLOB_FORMAT_BYTES ? 1 : -1];

static struct {
    const pedal_tflite_settings *settings;
    const pedal_tflite_layer *layer[PEDAL_BLOB_LAYERS];
    pedal_audio_map input, output;
    int64_t dry_multiplier;
    const pedal_tflite_row *rows[PEDAL_BLOB_LAYERS];
    const int16_t *kernel[PEDAL_BLOB_LAYERS], *recurrent[PEDAL_BLOB_LAYERS], *head, *steps;
    const uint8_t *beyond;
    const int32_t *lines[PEDAL_BLOB_FINE_CELLS];
    const uint32_t *corrections[PEDAL_BLOB_FINE_CELLS];
    const void *answers[2];
} played;

#define PEDAL_HEAD_BIAS played.settings->head_bias
#define PEDAL_HEAD_FACTOR played.settings->head_factor
#define PEDAL_HEAD_ZERO_POINT played.settings->head_zero_point
#define PEDAL_FINE_HEAD_BIAS played.settings->fine_bias
#define PEDAL_FINE_HEAD_FACTOR played.settings->fine_factor
#define PEDAL_FINE_HEAD_ZERO_POINT played.settings->fine_zero_point
#define PEDAL_ADD_HEAD_FACTOR played.settings->add_head
#define PEDAL_ADD_DRY_FACTOR played.settings->add_dry
#define PEDAL_ADD_FACTOR played.settings->add_total
#define PEDAL_ADD_LEFT_SHIFT played.settings->add_left_shift
#define PEDAL_INPUT_ZERO_POINT played.settings->input_zero_point
#define PEDAL_INPUT_LOW played.settings->input_low
#define PEDAL_INPUT_HIGH played.settings->input_high
#define PEDAL_OUTPUT_ZERO_POINT played.settings->output_zero_point
#define PEDAL_RATIO_BITS played.settings->ratio_bits
#define PEDAL_RATIO (INT32_C(1) << PEDAL_RATIO_BITS)
#define PEDAL_DRY_SHIFT played.settings->dry_shift
#define PEDAL_DRY_MULTIPLIER played.dry_multiplier
#define PEDAL_SAMPLE_GUARD_BITS PEDAL_BLOB_SAMPLE_GUARD_BITS
#define PEDAL_COARSE_SCALE played.settings->coarse_scale
#define PEDAL_FINE_SCALE played.settings->fine_scale
#define pedal_layer0 (*played.layer[0])
#define pedal_layer1 (*played.layer[1])
#define pedal_layer0_rows played.rows[0]
#define pedal_layer1_rows played.rows[1]
#define pedal_layer0_kernel played.kernel[0]
#define pedal_layer1_kernel played.kernel[1]
#define pedal_layer0_recurrent played.recurrent[0]
#define pedal_layer1_recurrent played.recurrent[1]
#define pedal_head_weights played.head
#define pedal_reciprocal_steps played.steps
#define pedal_reciprocal_beyond played.beyond
#define pedal_reciprocal0_lines played.lines[0]
#define pedal_reciprocal0_corrections played.corrections[0]
#define pedal_reciprocal1_lines played.lines[1]
#define pedal_reciprocal1_corrections played.corrections[1]
#define pedal_answer_samples ((const int16_t *)played.answers[0])
#define pedal_coarse_samples ((const int32_t *)played.answers[0])
#define pedal_fine_samples ((const int32_t *)played.answers[1])

#include "pedal_tflite.c"

static void read_constants(const pedal_blob *blob)
{
    played.settings = blob->settings;
    played.dry_multiplier = (int64_t)(played.settings->dry_multiplier[0] |
                                      (uint64_t)played.settings->dry_multiplier[1] << 32);
    for (int index = 0; index < blob->layers; index++) {
        played.layer[index] = blob->layer[index].format;
        played.rows[index] = blob->layer[index].rows;
        played.kernel[index] = blob->layer[index].kernel;
        played.recurrent[index] = blob->layer[index].recurrent;
    }
    played.input = read_map(blob->constants + 16);
    played.output = read_map(blob->constants + 32);
    played.head = blob->head;
    played.steps = blob->reciprocal_steps;
    played.beyond = blob->reciprocal_beyond;
    for (int bits = 0; bits < PEDAL_BLOB_FINE_CELLS; bits++) {
        played.lines[bits] = blob->lines[bits];
        played.corrections[bits] = blob->corrections[bits];
    }
    played.answers[0] = blob->answers[0];
    played.answers[1] = blob->answers[1];
}

#include "pedal_player_end.h"
