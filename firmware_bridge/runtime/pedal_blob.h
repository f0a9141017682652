/* A model as it travels over the link and lies in a slot: read with full checks, played where it lies.
 *
 * docs/link-protocol.md of neuralpedal says which byte is what. Tables are in the kernels' own order, so that nothing is
 * copied: the bytes must lie at a multiple of PEDAL_BLOB_ALIGNMENT, in memory that can be read like any other.
 */
#ifndef PEDAL_BLOB_H
#define PEDAL_BLOB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PEDAL_BLOB_ALIGNMENT 8
#define PEDAL_BLOB_FORMAT 1
#define PEDAL_BLOB_LAYERS 2
/* Header and constants; tables follow. */
#define PEDAL_BLOB_HEADER_BYTES 72
#define PEDAL_BLOB_CONSTANT_BYTES 64
/* Of w8a8: what the network is computed with, a layer's part of it; cells of 0 and of 1 integer bits have tables of their own;
 * guard bits of the samples of two channels. */
#define PEDAL_BLOB_SETTINGS_BYTES 100
#define PEDAL_BLOB_FORMAT_BYTES 84
#define PEDAL_BLOB_FINE_CELLS 2
#define PEDAL_BLOB_SAMPLE_GUARD_BITS 8

/* Tables of a layer; which types they have, says the arithmetic. */
typedef struct {
    const void *rows, *kernel, *recurrent; /* rows: biases alone in float arithmetic; kernel: NULL where rows have it */
    const void *format; /* of w8a8 */
    const void *first_cell, *first_hidden; /* where the model begins; NULL: in zero state */
} pedal_blob_layer;

typedef struct {
    uint8_t arithmetic, samples, layers, skip, begins;
    uint16_t hidden, padded;
    uint32_t sample_rate_hz, bytes, crc;
    const uint8_t *digest, *name, *constants;
    pedal_blob_layer layer[PEDAL_BLOB_LAYERS];
    const void *head;
    /* Of w8a8. */
    const void *settings, *reciprocal_steps, *reciprocal_beyond, *lines[PEDAL_BLOB_FINE_CELLS],
        *corrections[PEDAL_BLOB_FINE_CELLS], *answers[2];
} pedal_blob;

/* What this firmware can play. */
typedef struct {
    uint32_t arithmetics; /* bits: 1 << PEDAL_LINK_ARITHMETIC_... */
    uint32_t sample_rate_hz;
    uint16_t hidden;
    uint8_t layers, samples;
} pedal_capacity;

/* Read a blob that begins at `bytes`; `room` are the bytes that may be read. 0, or what is wrong: a PEDAL_LINK_FAULT_... */
int pedal_blob_read(pedal_blob *blob, const uint8_t *bytes, size_t room, const pedal_capacity *capacity);

/* Whether these PEDAL_BLOB_HEADER_BYTES begin a blob of such a size and CRC; its rest may be missing. */
int pedal_blob_begins(const uint8_t *bytes, uint32_t size, uint32_t crc);

#ifdef __cplusplus
}
#endif

#endif
