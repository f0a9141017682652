/* A pedal as an object of Teensy's Audio library: one input, one output, mono.
 *
 * neuralpedal firmware MODEL.tflite --board teensy-4.1 puts it beside the model. Compiled in neuralpedal's tests against
 * stub headers; it has not run on hardware.
 */
#ifndef AUDIO_EFFECT_PEDAL_H
#define AUDIO_EFFECT_PEDAL_H

#include <AudioStream.h>

#include "pedal.h"
#include "pedal_bypass.h"

#if !PEDAL_IO_INT16
#error "the Audio library's samples are int16: generate the model with --io int16"
#endif

class AudioEffectPedal : public AudioStream {
public:
    AudioEffectPedal() : AudioStream(1, queue)
    {
        static_assert((int)(AUDIO_SAMPLE_RATE_EXACT + 0.5f) == PEDAL_SAMPLE_RATE_HZ,
                      "the Audio library plays at another rate: define AUDIO_SAMPLE_RATE_EXACT, or train at its rate");
        pedal_init(&pedal);
        pedal_bypass_init(&bypass, 1);
    }

    /* Whether the footswitch is closed; from loop(). */
    void footswitch(bool is_closed) { closed = is_closed; }

    bool engaged() const { return bypass.engaged; }

    /* Called from an interrupt for every block of AUDIO_BLOCK_SAMPLES. */
    void update() override
    {
        pedal_bypass_read(&bypass, closed, AUDIO_BLOCK_SAMPLES);
        audio_block_t *block = receiveWritable(0);
        /* The library sends no block for silence; the network must hear it all the same. */
        if (!block && !(block = silence()))
            return;
        int16_t wet[AUDIO_BLOCK_SAMPLES];
        pedal_process(&pedal, block->data, wet, AUDIO_BLOCK_SAMPLES);
        for (int t = 0; t < AUDIO_BLOCK_SAMPLES; t++)
            block->data[t] = pedal_bypass_mix(&bypass, block->data[t], wet[t]);
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
    pedal_state pedal;
    pedal_bypass bypass;
    volatile bool closed = false;
};

#endif
