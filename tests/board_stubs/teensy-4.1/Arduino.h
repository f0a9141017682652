/* As much of the Arduino core as the example uses: declarations alone, to compile against. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define LOW 0
#define HIGH 1
#define OUTPUT 1
#define INPUT_PULLUP 2

extern "C" {
void pinMode(uint8_t pin, uint8_t mode);
uint8_t digitalRead(uint8_t pin);
void digitalWrite(uint8_t pin, uint8_t value);
}

class usb_serial_class {
public:
    int available();
    int read();
    size_t write(const uint8_t *bytes, size_t size);
    void send_now();
};
extern usb_serial_class Serial;

extern "C" volatile uint32_t F_CPU_ACTUAL;
