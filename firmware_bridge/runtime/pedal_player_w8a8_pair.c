/* TFLite's integer LSTM as LiteRT computes it, audio in two channels: coarse steps, and what they leave in fine ones. */
#define PEDAL_PLAYER_KERNEL pedal_player_w8a8_pair
#define PEDAL_PLAYER_ARITHMETIC PEDAL_LINK_ARITHMETIC_W8A8_PAIR
#define PEDAL_ARITHMETIC_TFLITE_PAIR 1
#define PEDAL_CHANNELS 2
#include "pedal_player_tflite.h"
