/* The board's side of the link: takes bytes, answers, keeps models, plays.
 *
 *     static pedal_link link;
 *     pedal_link_init(&link, &board, &flash);                once
 *     pedal_link_receive(&link, byte);                       per byte from the line, never from an interrupt that plays
 *     pedal_link_play(&link, in, out, n);                    per block of audio, from an interrupt if wanted
 *     pedal_link_footswitch(&link, 0, pressed);              when a control moved; pedal_link_knob likewise
 *
 * docs/link-protocol.md of neuralpedal specifies the line. No allocation; one model plays at a time.
 */
#ifndef PEDAL_LINK_H
#define PEDAL_LINK_H

#include "pedal_link_frame.h"
#include "pedal_player.h"
#include "pedal_store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PEDAL_LINK_TIMES 256
#define PEDAL_LINK_BLOCK_SAMPLES (PEDAL_LINK_CHUNK_BYTES / (int)sizeof(pedal_player_sample))
#define PEDAL_LINK_UNITY 32768
/* Live audio that passes dry after a block of the host: one that died gives the pedal back so. */
#define PEDAL_LINK_HELD_SAMPLES 96000

/* What a board gives the link. All but write may be NULL. */
typedef struct {
    const char *name, *firmware;
    uint32_t clock_hz, sample_rate_hz; /* the rate: 0 for any */
    uint8_t counter;                   /* PEDAL_LINK_COUNTER_...: what time counts */
    void *context;
    void (*write)(void *context, const uint8_t *bytes, size_t size);
    uint32_t (*time)(void *context);
    void (*restart)(void *context);
    void (*stack)(void *context, uint32_t *used_bytes, uint32_t *free_bytes);
    int (*light)(void *context, unsigned index, int on);           /* 0: there is none */
    int (*text)(void *context, unsigned line, const char *text);   /* UTF-8; 0: there is no such line */
} pedal_link_board;

typedef struct {
    pedal_link_board board;
    pedal_store store;
    pedal_link_reader reader;
    uint8_t wire[PEDAL_LINK_WIRE_BYTES]; /* the last answer */
    size_t wire_bytes;
    uint16_t sequence; /* of the last question */
    uint8_t greeted;
    uint32_t detail; /* of a fault */
    uint32_t times[PEDAL_LINK_TIMES], blocks;
    volatile uint32_t overruns;
    uint16_t events, knobs[PEDAL_LINK_KNOBS];
    uint8_t switches;
    volatile uint32_t held_samples; /* of live audio that pass dry, because the host plays */
    volatile uint8_t changing, engaged;
    volatile uint16_t level;
    pedal_player_sample block[PEDAL_LINK_BLOCK_SAMPLES];
} pedal_link;

/* Begin: plays the slot that was selected. */
void pedal_link_init(pedal_link *link, const pedal_link_board *board, const pedal_flash *flash);

/* Take a byte from the line, and answer what it ends. */
void pedal_link_receive(pedal_link *link, uint8_t byte);

/* Play live audio. Real-time safe. */
void pedal_link_play(pedal_link *link, const pedal_player_sample *in, pedal_player_sample *out, size_t n);

/* A live block came too late. Real-time safe. */
void pedal_link_overrun(pedal_link *link);

/* A control moved; index counts from 0. Not from an interrupt. */
void pedal_link_footswitch(pedal_link *link, unsigned index, int pressed);
void pedal_link_knob(pedal_link *link, unsigned index, uint16_t value);

#ifdef __cplusplus
}
#endif

#endif
