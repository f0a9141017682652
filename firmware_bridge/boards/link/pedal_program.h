/* What every board's program that speaks the link does alike: the pedal with a footswitch and an LED, models that came over the
 * link, and the link itself. Until a model was uploaded, the one that this program was made with plays. The LED, which is light
 * 0, shows whether the pedal is engaged until the host says otherwise.
 *
 * The board's flash and serial line are those of its pedal_board_link.h.
 */
#ifndef PEDAL_PROGRAM_H
#define PEDAL_PROGRAM_H

#include "pedal.h"
#include "pedal_bypass.h"
#include "pedal_cycles.h"
#include "pedal_link.h"

/* Application interrupt and reset control: the key, and SYSRESETREQ. */
#define PEDAL_AIRCR (*(volatile uint32_t *)0xE000ED0Cu)
#define PEDAL_AIRCR_RESET 0x05FA0004u

typedef struct {
    pedal_state pedal;
    pedal_bypass bypass;
    volatile int lit; /* what the LED shows */
    pedal_link link;
} pedal_program;

#include "pedal_board_link.h"

static inline uint32_t pedal_program_cycles(void *)
{
    return pedal_cycles();
}

static inline void pedal_program_restart(void *)
{
    PEDAL_AIRCR = PEDAL_AIRCR_RESET;
    for (;;) {
    }
}

static inline int pedal_program_light(void *program, unsigned index, int on)
{
    if (index == 0)
        ((pedal_program *)program)->lit = on;
    return index == 0;
}

static inline void pedal_program_start(pedal_program *program)
{
    pedal_link_board board = {};
    pedal_flash flash = {};
    pedal_init(&program->pedal);
    pedal_bypass_init(&program->bypass, 1);
    program->lit = program->bypass.engaged;
    pedal_cycles_start();
    board.firmware = PEDAL_NAME;
    board.sample_rate_hz = PEDAL_SAMPLE_RATE_HZ;
    board.counter = PEDAL_LINK_COUNTER_CYCLES;
    board.context = program;
    board.time = pedal_program_cycles;
    board.restart = pedal_program_restart;
    board.light = pedal_program_light;
    flash.slot_bytes = PEDAL_PLAYER_SLOT_BYTES;
    flash.context = program;
    pedal_board_describe(&board, &flash);
    pedal_link_init(&program->link, &board, &flash);
}

/* A block, from an interrupt if wanted: from the dry signal what is to be heard; closed: the footswitch. */
static inline void pedal_program_play(pedal_program *program, const pedal_sample *dry, pedal_sample *heard, size_t n,
                                      int closed)
{
    if (pedal_bypass_read(&program->bypass, closed, n))
        program->lit = program->bypass.engaged;
    if (program->link.store.selected == PEDAL_STORE_NONE)
        pedal_process(&program->pedal, dry, heard, n);
    else
        pedal_link_play(&program->link, dry, heard, n);
    pedal_bypass_mix_block(&program->bypass, dry, heard, n);
}

/* What came over the link, and what the foot did; from the main loop. */
static inline void pedal_program_serve(pedal_program *program)
{
    int byte;
    pedal_link_footswitch(&program->link, 0, program->bypass.pressed);
    while ((byte = pedal_board_read()) >= 0)
        pedal_link_receive(&program->link, (uint8_t)byte);
}

#endif
