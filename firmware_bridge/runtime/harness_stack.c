#include "harness_stack.h"

#define PEDAL_PAINT 0xC0DEDBADu

extern uint32_t pedal_stack_low[];

void pedal_paint_stack(void)
{
    const uint32_t *end = pedal_stack_pointer();
    /* Volatile: the loop must not become a call of memset, whose frame it would paint. */
    for (volatile uint32_t *word = pedal_stack_low; word < end; ++word) {
        *word = PEDAL_PAINT;
    }
}

uint32_t pedal_stack_bytes(const uint32_t *pointer)
{
    const volatile uint32_t *word = pedal_stack_low;
    if (*word != PEDAL_PAINT) {
        return UINT32_MAX;
    }
    while (word < pointer && *word == PEDAL_PAINT) {
        ++word;
    }
    return (uint32_t)((uintptr_t)pointer - (uintptr_t)word);
}
