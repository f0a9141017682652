/* As much of libDaisy as the example uses: declarations alone, to compile against. */
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace daisy {
struct Pin {
    int number;
};

namespace seed {
constexpr Pin D1{1}, D2{2};
}

class AudioHandle {
public:
    typedef const float *const *InputBuffer;
    typedef float **OutputBuffer;
    typedef void (*AudioCallback)(InputBuffer in, OutputBuffer out, size_t size);
};

class SaiHandle {
public:
    struct Config {
        enum class SampleRate { SAI_8KHZ, SAI_16KHZ, SAI_32KHZ, SAI_48KHZ, SAI_96KHZ };
    };
};

class GPIO {
public:
    enum class Mode { INPUT, OUTPUT, OPEN_DRAIN, ANALOG };
    enum class Pull { NOPULL, PULLUP, PULLDOWN };
    enum class Speed { LOW, MEDIUM, HIGH, VERY_HIGH };
    void Init(Pin pin, Mode mode = Mode::INPUT, Pull pull = Pull::NOPULL, Speed speed = Speed::LOW);
    bool Read();
    void Write(bool state);
};

class CpuLoadMeter {
public:
    void Init(float sample_rate_hz, int block_samples, float smoothing_hz = 1.0f);
    void OnBlockStart();
    void OnBlockEnd();
    float GetMaxCpuLoad() const;
};

class System {
public:
    static uint32_t GetNow();
    static uint32_t GetSysClkFreq();
};

class QSPIHandle {
public:
    enum Result { OK = 0, ERR };
    Result Write(uint32_t address, uint32_t size, uint8_t *buffer);
    Result Erase(uint32_t start, uint32_t end);
    void *GetData(uint32_t offset = 0);
};

class UsbHandle {
public:
    enum class Result { OK, ERR };
    enum UsbPeriph { FS_INTERNAL, FS_EXTERNAL, FS_BOTH };
    typedef void (*ReceiveCallback)(uint8_t *buffer, uint32_t *size);
    void Init(UsbPeriph device);
    Result TransmitInternal(uint8_t *buffer, size_t size);
    void SetReceiveCallback(ReceiveCallback callback, UsbPeriph device);
};

class DaisySeed {
public:
    void Init(bool boost = false);
    void SetAudioSampleRate(SaiHandle::Config::SampleRate rate);
    void SetAudioBlockSize(size_t samples);
    void StartAudio(AudioHandle::AudioCallback callback);
    void SetLed(bool state);
    QSPIHandle qspi;
};
}

extern "C" void dsy_dma_invalidate_cache_for_buffer(uint8_t *buffer, size_t size);
