/* Frames of the link, byte by byte: COBS, a CRC-32 (that of Ethernet and zlib) at the end, 0 between frames.
 *
 * docs/link-protocol.md of neuralpedal specifies them. No allocation; whatever comes, nothing is written beside the
 * buffers, and the next whole frame is found.
 */
#ifndef PEDAL_LINK_FRAME_H
#define PEDAL_LINK_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "pedal_link_protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PEDAL_LINK_FRAME_BYTES (PEDAL_LINK_HEADER_BYTES + PEDAL_LINK_LARGEST_PAYLOAD_BYTES + PEDAL_LINK_CRC_BYTES)
/* On the wire: a code byte before every 254, and the zero. */
#define PEDAL_LINK_WIRE_BYTES (PEDAL_LINK_FRAME_BYTES + PEDAL_LINK_FRAME_BYTES / 254 + 2)

/* A whole frame whose CRC is right. The payload lies in the reader until the next byte is taken. */
typedef struct {
    uint8_t version, message;
    uint16_t sequence;
    const uint8_t *payload;
    size_t payload_bytes;
} pedal_link_frame;

/* What arrived of a frame. Zeroed, it waits for the first one. */
typedef struct {
    uint8_t bytes[PEDAL_LINK_FRAME_BYTES];
    size_t size;      /* of what is decoded */
    uint8_t code;     /* the last code byte, 0 before the first */
    uint8_t left;     /* bytes until the next one */
    uint8_t bad;      /* the frame is too long: wait for its end */
    uint32_t dropped; /* frames that were not whole or not right */
} pedal_link_reader;

/* Take a byte from the wire: true when it ends a whole frame, which `frame` then is. */
int pedal_link_take(pedal_link_reader *reader, uint8_t byte, pedal_link_frame *frame);

/* Write a frame as it goes over the wire, its zero included: how many bytes of wire, PEDAL_LINK_WIRE_BYTES at most; 0 for a
 * payload that is too large. */
size_t pedal_link_write(uint8_t *wire, uint8_t message, uint16_t sequence, const uint8_t *payload, size_t payload_bytes);

/* The CRC-32 of what came before, continued; begins with 0. */
uint32_t pedal_crc32(uint32_t crc, const uint8_t *bytes, size_t size);

/* Numbers on the wire are little-endian. */
static inline uint16_t pedal_get_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t pedal_get_32(const uint8_t *bytes)
{
    return (uint32_t)pedal_get_16(bytes) | (uint32_t)pedal_get_16(bytes + 2) << 16;
}

static inline void pedal_put_16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static inline void pedal_put_32(uint8_t *bytes, uint32_t value)
{
    pedal_put_16(bytes, (uint16_t)value);
    pedal_put_16(bytes + 2, (uint16_t)(value >> 16));
}

#ifdef __cplusplus
}
#endif

#endif
