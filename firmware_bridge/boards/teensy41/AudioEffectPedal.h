/* A pedal as an object of Teensy's Audio library: one input, one output, mono.
 *
 * neuralpedal firmware MODEL.tflite --board teensy-4.1 puts it beside the model. Compiled in neuralpedal's tests against
 * stub headers; it has not run on hardware.
 */
#ifndef AUDIO_EFFECT_PEDAL_H
#define AUDIO_EFFECT_PEDAL_H

#include <AudioStream.h>
#include <string.h>

#include "pedal_program.h"

#if !PEDAL_IO_INT16
#error "the Audio library's samples are int16: generate the model with --io int16"
#endif

class AudioEffectPedal : public AudioStream {
public:
    AudioEffectPedal() : AudioStream(1, queue)
    {
        static_assert((int)(AUDIO_SAMPLE_RATE_EXACT + 0.5f) == PEDAL_SAMPLE_RATE_HZ,
                      "the Audio library plays at another rate: define AUDIO_SAMPLE_RATE_EXACT, or train at its rate");
        pedal_program_start(&program);
    }

    /* Whether the footswitch is closed; from loop(). */
    void footswitch(bool is_closed) { closed = is_closed; }

    /* What the LED shows. */
    bool lit() const { return program.lit; }

    /* What is to be done beside the audio; from loop(). */
    void serve() { pedal_program_serve(&program); }

    /* Called from an interrupt for every block of AUDIO_BLOCK_SAMPLES. */
    void update() override
    {
        audio_block_t *block = receiveWritable(0);
        /* The library sends no block for silence; the network must hear it all the same. */
        if (!block && !(block = silence()))
            return;
        int16_t heard[AUDIO_BLOCK_SAMPLES];
        pedal_program_play(&program, block->data, heard, AUDIO_BLOCK_SAMPLES, closed);
        memcpy(block->data, heard, sizeof heard);
        transmit(block);
        release(block);
    }

private:
    static audio_block_t *silence()
    {
        audio_block_t *block = allocate();
        if (block)
            for (int t = 0; t < AUDIO_BLOCK_SAMPLES; t++)
                block->data[t] = 0;
        return block;
    }

    audio_block_t *queue[1];
    pedal_program program;
    volatile bool closed = false;
};

#endif
