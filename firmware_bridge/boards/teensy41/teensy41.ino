/* A pedal on a Teensy 4.1 with the audio shield: guitar into line in, footswitch at 0, LED at 1.
 *
 * neuralpedal firmware MODEL.tflite --board teensy-4.1 puts it beside the model. Compiled in neuralpedal's tests against
 * stub headers; it has not run on hardware.
 */
#include <Audio.h>

#include "AudioEffectPedal.h"

static const int FOOTSWITCH_PIN = 0, LED_PIN = 1;

static AudioInputI2S input;
static AudioEffectPedal effect;
static AudioOutputI2S output;
static AudioConnection in_left(input, 0, effect, 0), out_left(effect, 0, output, 0), out_right(effect, 0, output, 1);
static AudioControlSGTL5000 codec;

void setup()
{
    AudioMemory(8);
    pinMode(FOOTSWITCH_PIN, INPUT_PULLUP);
    pinMode(LED_PIN, OUTPUT);
    codec.enable();
    codec.inputSelect(AUDIO_INPUT_LINEIN);
    codec.volume(0.5f);
}

void loop()
{
    effect.footswitch(digitalRead(FOOTSWITCH_PIN) == LOW);
    digitalWrite(LED_PIN, effect.lit() ? HIGH : LOW);
    effect.serve();
}
