#include "pedal_link_frame.h"

uint32_t pedal_crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
    /* By halves of a byte: 64 bytes of table. */
    static const uint32_t steps[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ steps[crc & 15];
        crc = crc >> 4 ^ steps[crc & 15];
    }
    return ~crc;
}

static void append(pedal_link_reader *reader, uint8_t byte)
{
    if (reader->size < sizeof reader->bytes)
        reader->bytes[reader->size++] = byte;
    else
        reader->bad = 1;
}

/* The frame's end: true when what came was whole and right. */
static int finish(pedal_link_reader *reader, pedal_link_frame *frame)
{
    const int empty = reader->code == 0 && !reader->bad;
    const size_t size = reader->size;
    const int whole = !reader->bad && reader->left == 0 && size >= PEDAL_LINK_HEADER_BYTES + PEDAL_LINK_CRC_BYTES;
    reader->size = 0;
    reader->code = reader->left = reader->bad = 0;
    if (empty)
        return 0; /* zeros between frames */
    const size_t body = size - PEDAL_LINK_CRC_BYTES;
    if (!whole || pedal_crc32(0, reader->bytes, body) != pedal_get_32(reader->bytes + body)) {
        reader->dropped++;
        return 0;
    }
    frame->version = reader->bytes[0];
    frame->message = reader->bytes[1];
    frame->sequence = pedal_get_16(reader->bytes + 2);
    frame->payload = reader->bytes + PEDAL_LINK_HEADER_BYTES;
    frame->payload_bytes = body - PEDAL_LINK_HEADER_BYTES;
    return 1;
}

int pedal_link_take(pedal_link_reader *reader, uint8_t byte, pedal_link_frame *frame)
{
    if (byte == 0)
        return finish(reader, frame);
    if (reader->left > 0) {
        append(reader, byte);
        reader->left--;
        return 0;
    }
    /* A code byte: the zero that the former one stands for is not at the frame's end. */
    if (reader->code != 0 && reader->code != 255)
        append(reader, 0);
    reader->code = byte;
    reader->left = (uint8_t)(byte - 1);
    return 0;
}

/* What is being written: `code` is where the code byte of the bytes since then goes. */
typedef struct {
    uint8_t *wire;
    size_t size, code;
} writer;

static void put(writer *to, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (to->size - to->code == 255) {
            to->wire[to->code] = 255;
            to->code = to->size++;
        }
        if (bytes[i] != 0) {
            to->wire[to->size++] = bytes[i];
        } else {
            to->wire[to->code] = (uint8_t)(to->size - to->code);
            to->code = to->size++;
        }
    }
}

size_t pedal_link_write(uint8_t *wire, uint8_t message, uint16_t sequence, const uint8_t *payload, size_t payload_bytes)
{
    if (payload_bytes > PEDAL_LINK_LARGEST_PAYLOAD_BYTES)
        return 0;
    uint8_t header[PEDAL_LINK_HEADER_BYTES] = {PEDAL_LINK_VERSION, message}, end[PEDAL_LINK_CRC_BYTES];
    pedal_put_16(header + 2, sequence);
    pedal_put_32(end, pedal_crc32(pedal_crc32(0, header, sizeof header), payload, payload_bytes));
    writer to = {wire, 1, 0};
    put(&to, header, sizeof header);
    put(&to, payload, payload_bytes);
    put(&to, end, sizeof end);
    to.wire[to.code] = (uint8_t)(to.size - to.code);
    to.wire[to.size++] = 0;
    return to.size;
}
