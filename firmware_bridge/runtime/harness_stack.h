/* How much stack a call takes: the free stack is painted before, and what kept its paint was not used. */

#ifndef PEDAL_HARNESS_STACK_H
#define PEDAL_HARNESS_STACK_H

#include <stdint.h>

static inline uint32_t *pedal_stack_pointer(void)
{
    uint32_t *pointer;
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

/* Paints the stack that is free. */
void pedal_paint_stack(void);

/* Bytes between a stack pointer and the deepest word without paint; UINT32_MAX when the stack's last word lost it. */
uint32_t pedal_stack_bytes(const uint32_t *pointer);

#endif
