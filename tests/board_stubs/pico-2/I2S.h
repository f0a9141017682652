/* As much of arduino-pico and its I2S library as the example uses: declarations alone, to compile against. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef uint8_t pin_size_t;
typedef enum { LOW = 0, HIGH = 1 } PinStatus;
typedef enum { INPUT = 0, OUTPUT = 1, INPUT_PULLUP = 2 } PinMode;
#define LED_BUILTIN 25

void pinMode(pin_size_t pin, PinMode mode);
PinStatus digitalRead(pin_size_t pin);
void digitalWrite(pin_size_t pin, int value);
unsigned long millis();

class I2S {
public:
    I2S(PinMode direction = OUTPUT);
    bool setBCLK(pin_size_t pin);
    bool setDOUT(pin_size_t pin);
    bool setDIN(pin_size_t pin);
    bool setBitsPerSample(int bits);
    bool setBuffers(size_t buffers, size_t words, int32_t silence = 0);
    bool begin(long rate_hz);
    bool read16(int16_t *left, int16_t *right);
    size_t write16(int16_t left, int16_t right);
};

class SerialUSB {
public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *bytes, size_t size);
    void flush();
};
extern SerialUSB Serial;

class RP2040 {
public:
    void reboot();
    static int f_cpu();
};
extern RP2040 rp2040;
