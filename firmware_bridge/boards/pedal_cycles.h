/* Cycles, counted by the processor itself: Cortex-M3, M4, M7 and M33 (not M0+, which has no such counter).
 *
 *     pedal_cycles_start();                                   once
 *     const uint32_t before = pedal_cycles();
 *     pedal_process(&pedal, in, out, n);
 *     const uint32_t taken = pedal_cycles() - before;         of n samples; right across the counter's wrap
 *
 * Source: Arm, Armv7-M and Armv8-M Architecture Reference Manuals, "Data Watchpoint and Trace unit".
 */
#ifndef PEDAL_CYCLES_H
#define PEDAL_CYCLES_H

#include <stdint.h>

#define PEDAL_DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define PEDAL_DWT_CONTROL (*(volatile uint32_t *)0xE0001000u)
#define PEDAL_DWT_CYCLES (*(volatile uint32_t *)0xE0001004u)
#define PEDAL_DWT_LOCK (*(volatile uint32_t *)0xE0001FB0u)

static inline void pedal_cycles_start(void)
{
    PEDAL_DEMCR |= UINT32_C(1) << 24; /* the trace unit's clock */
    PEDAL_DWT_LOCK = 0xC5ACCE55u;     /* a Cortex-M7 wants its key; the others ignore it */
    PEDAL_DWT_CYCLES = 0;
    PEDAL_DWT_CONTROL |= 1u;
}

static inline uint32_t pedal_cycles(void)
{
    return PEDAL_DWT_CYCLES;
}

#endif
