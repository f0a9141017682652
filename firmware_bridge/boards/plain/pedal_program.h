/* What every board's program does alike: the pedal with a footswitch and an LED. With --link another file of this name takes
 * its place, whose functions are these.
 */
#ifndef PEDAL_PROGRAM_H
#define PEDAL_PROGRAM_H

#include "pedal.h"
#include "pedal_bypass.h"

typedef struct {
    pedal_state pedal;
    pedal_bypass bypass;
    volatile int lit; /* what the LED shows */
} pedal_program;

static inline void pedal_program_start(pedal_program *program)
{
    pedal_init(&program->pedal);
    pedal_bypass_init(&program->bypass, 1);
    program->lit = program->bypass.engaged;
}

/* A block, from an interrupt if wanted: from the dry signal what is to be heard; closed: the footswitch. */
static inline void pedal_program_play(pedal_program *program, const pedal_sample *dry, pedal_sample *heard, size_t n,
                                      int closed)
{
    if (pedal_bypass_read(&program->bypass, closed, n))
        program->lit = program->bypass.engaged;
    pedal_process(&program->pedal, dry, heard, n);
    pedal_bypass_mix_block(&program->bypass, dry, heard, n);
}

/* Whatever else is to be done, from the main loop. */
static inline void pedal_program_serve(pedal_program *program)
{
    (void)program;
}

#endif
