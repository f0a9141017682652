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
void delay(uint32_t milliseconds);
}
