/* As much of Teensy's Audio library as the example uses: declarations alone, to compile against. */
#pragma once
#include "AudioStream.h"

#define AUDIO_INPUT_LINEIN 0
#define AudioMemory(blocks) ((void)(blocks))

class AudioInputI2S : public AudioStream {
public:
    AudioInputI2S();
    void update() override;
};

class AudioOutputI2S : public AudioStream {
public:
    AudioOutputI2S();
    void update() override;
};

class AudioControlSGTL5000 {
public:
    bool enable();
    bool inputSelect(int input);
    bool volume(float level);
};
