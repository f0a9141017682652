/* As much of the Pico SDK as the example uses: declarations alone, to compile against. */
#pragma once
#include <stdint.h>

extern "C" {
uint32_t save_and_disable_interrupts();
void restore_interrupts(uint32_t before);
}
