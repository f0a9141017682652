/* A pedal on a Raspberry Pi Pico 2 with an I2S codec, in the Arduino core for RP2350 (arduino-pico).
 *
 * Pins: data to the codec 0, data from it 1, bit clock 2, word clock 3, footswitch 14, LED the board's own.
 * neuralpedal firmware MODEL.tflite --board pico-2 puts it beside the model. Compiled in neuralpedal's tests against stub
 * headers; it has not run on hardware.
 */
#include <I2S.h>

#include "pedal_program.h"

#if !PEDAL_IO_INT16
#error "this sketch's samples are int16: generate the model with --io int16"
#endif

static const int DATA_OUT_PIN = 0, DATA_IN_PIN = 1, BIT_CLOCK_PIN = 2, FOOTSWITCH_PIN = 14;
static const int BLOCK_SAMPLES = 16;

/* In this core's words both directions at once. */
static I2S i2s(INPUT_PULLUP);
static pedal_program program;

void setup()
{
    pinMode(FOOTSWITCH_PIN, INPUT_PULLUP);
    pinMode(LED_BUILTIN, OUTPUT);
    pedal_program_start(&program);
    i2s.setDOUT(DATA_OUT_PIN);
    i2s.setDIN(DATA_IN_PIN);
    i2s.setBCLK(BIT_CLOCK_PIN);
    i2s.setBitsPerSample(16);
    /* Few and short buffers: each is BLOCK_SAMPLES of latency. */
    i2s.setBuffers(4, BLOCK_SAMPLES);
    if (!i2s.begin(PEDAL_SAMPLE_RATE_HZ))
        for (;;)
            digitalWrite(LED_BUILTIN, millis() / 100 % 2);
}

/* The codec's clock paces it: reading waits for the next sample. */
void loop()
{
    int16_t dry[BLOCK_SAMPLES], heard[BLOCK_SAMPLES], unused;
    for (int t = 0; t < BLOCK_SAMPLES; t++)
        i2s.read16(&dry[t], &unused);
    pedal_program_play(&program, dry, heard, BLOCK_SAMPLES, digitalRead(FOOTSWITCH_PIN) == LOW);
    for (int t = 0; t < BLOCK_SAMPLES; t++)
        i2s.write16(heard[t], heard[t]);
    digitalWrite(LED_BUILTIN, program.lit ? HIGH : LOW);
    pedal_program_serve(&program);
}
