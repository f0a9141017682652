/* What libFuzzer plays with: the board of tests/link_host.c, and a blob whose CRC is made right.
 *
 * The first byte says which: bytes as they come over the wire; messages in right frames, so that what is behind the CRC is
 * reached; or a blob, read and played.
 */
#include <string.h>

#include "link_host.c"

enum { LARGEST_BLOB = 1 << 14, LARGEST_WIRE = 1 << 12 };

static uint8_t answers[OUT];

static void take_messages(const uint8_t *data, size_t size)
{
    uint16_t sequence = 0;
    uint8_t wire[PEDAL_LINK_WIRE_BYTES];
    host_take(wire, pedal_link_write(wire, PEDAL_LINK_HELLO, sequence++, wire, 0), answers);
    while (size >= 3) {
        const uint8_t message = data[0];
        size_t count = pedal_get_16(data + 1) % (PEDAL_LINK_LARGEST_PAYLOAD_BYTES + 1);
        data += 3;
        size -= 3;
        count = count < size ? count : size;
        host_take(wire, pedal_link_write(wire, message, sequence++, data, count), answers);
        data += count;
        size -= count;
    }
}

static void play_blob(const uint8_t *data, size_t size)
{
    static _Alignas(8) uint8_t bytes[LARGEST_BLOB];
    pedal_blob blob;
    pedal_player_sample block[16];
    const pedal_capacity capacity = pedal_player_capacity();
    if (size < 136 || size > sizeof bytes)
        return;
    memcpy(bytes, data, size);
    memcpy(bytes, "NPdl\1\0", 6);
    pedal_put_32(bytes + 8, (uint32_t)size);
    pedal_put_32(bytes + 12, pedal_crc32(0, bytes + 16, size - 16));
    if (pedal_blob_read(&blob, bytes, size, &capacity) != 0)
        return;
    for (int t = 0; t < 16; t++)
        block[t] = (pedal_player_sample)(t % 2 ? 32767 : -32768);
    pedal_player_choose(&blob);
    pedal_player_process(block, block, 16);
    pedal_player_choose(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 2) {
        play_blob(data + 1, size - 1);
        return 0;
    }
    host_erase();
    host_power(-1);
    host_start();
    if (data[0] % 3 == 0)
        host_take(data + 1, size - 1, answers);
    else
        take_messages(data + 1, size - 1);
    return 0;
}
