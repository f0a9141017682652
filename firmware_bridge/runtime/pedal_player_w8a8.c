/* TFLite's integer LSTM as LiteRT computes it, audio in one channel. */
#define PEDAL_PLAYER_KERNEL pedal_player_w8a8
#define PEDAL_PLAYER_ARITHMETIC PEDAL_LINK_ARITHMETIC_W8A8
#define PEDAL_ARITHMETIC_TFLITE 1
#define PEDAL_CHANNELS 1
#include "pedal_player_tflite.h"
