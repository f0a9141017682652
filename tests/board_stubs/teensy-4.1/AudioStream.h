/* As much of Teensy's AudioStream as the example uses: declarations alone, to compile against. */
#pragma once
#include "Arduino.h"

#define AUDIO_BLOCK_SAMPLES 128
#ifndef AUDIO_SAMPLE_RATE_EXACT
#define AUDIO_SAMPLE_RATE_EXACT 44100.0f
#endif

typedef struct audio_block_struct {
    uint8_t ref_count;
    int16_t data[AUDIO_BLOCK_SAMPLES];
} audio_block_t;

class AudioStream {
public:
    AudioStream(unsigned char inputs, audio_block_t **queue);
    virtual void update() = 0;

protected:
    static audio_block_t *allocate();
    static void release(audio_block_t *block);
    void transmit(audio_block_t *block, unsigned char index = 0);
    audio_block_t *receiveWritable(unsigned int index = 0);
};

class AudioConnection {
public:
    AudioConnection(AudioStream &source, unsigned char output, AudioStream &destination, unsigned char input);
};
