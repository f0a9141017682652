/* Counts instructions with the SysTick timer.
 *
 * QEMU's -icount gives every instruction the same time, so that ticks are instructions times a constant. The constant
 * is measured here, with a loop of known length, whatever the emulated clock; without -icount two measurements of it
 * differ, and nothing is counted. On a real board ticks are cycles: see docs/firmware.md. */

#ifndef PEDAL_HARNESS_TICKS_H
#define PEDAL_HARNESS_TICKS_H

#include <stdint.h>

/* Starts the timer and measures its constant; false when ticks do not follow instructions. */
int pedal_start_ticks(void);

/* Ticks since the start. */
uint64_t pedal_ticks(void);

/* Thousandths of an instruction in a number of ticks. */
uint64_t pedal_milli_instructions(uint64_t ticks);

/* The SysTick exception: the 24-bit timer wrapped. */
void pedal_count_wrap(void);

#endif
