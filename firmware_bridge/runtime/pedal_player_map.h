/* How a player's samples become integers and back: what pedal_audio.h has as constants, from a blob. */
#ifndef PEDAL_PLAYER_MAP_H
#define PEDAL_PLAYER_MAP_H

#include <string.h>

#include "pedal_link_frame.h"
#include "pedal_player_config.h"

typedef struct {
    float gain, scale;
    uint64_t multiplier;
    uint32_t float_gain;
    int shift;
} pedal_audio_map;

static pedal_audio_map read_map(const uint8_t *bytes)
{
    pedal_audio_map map = {0};
#if PEDAL_PLAYER_INT16
    map.multiplier = pedal_get_32(bytes) | (uint64_t)pedal_get_32(bytes + 4) << 32;
    map.float_gain = pedal_get_32(bytes + 8);
    map.shift = (int)pedal_get_32(bytes + 12);
#else
    memcpy(&map.gain, bytes, sizeof map.gain);
    memcpy(&map.scale, bytes + 4, sizeof map.scale);
#endif
    return map;
}

#define PEDAL_INPUT_GAIN played.input.gain
#define PEDAL_INPUT_SCALE played.input.scale
#define PEDAL_INPUT_FLOAT_GAIN played.input.float_gain
#define PEDAL_INPUT_MULTIPLIER played.input.multiplier
#define PEDAL_INPUT_SHIFT played.input.shift
#define PEDAL_OUTPUT_GAIN played.output.gain
#define PEDAL_OUTPUT_SCALE played.output.scale
#define PEDAL_OUTPUT_FLOAT_GAIN played.output.float_gain
#define PEDAL_OUTPUT_MULTIPLIER played.output.multiplier
#define PEDAL_OUTPUT_SHIFT played.output.shift

#endif
