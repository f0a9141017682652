/* A board for tests: flash in the memory of this process, whose power goes after a given number of bytes. */
#include <string.h>

#include "pedal_link.h"

enum { PAGE = 1024, UNIT = 32, SLOT = 64 * 1024, FLASH = 2 * PAGE + 2 * SLOT, OUT = 1 << 16, LIGHTS = 8 };

static _Alignas(8) uint8_t flash_bytes[FLASH];
static pedal_link board_link;
static uint8_t out[OUT], lights[LIGHTS];
static char lines[PEDAL_LINK_TEXT_LINES][PEDAL_LINK_NAME_BYTES + 1];
static size_t out_bytes;
static long power; /* bytes that may still be written or erased; negative: no end */
static uint32_t now;
static int restarts;

/* How much of a write happens. */
static size_t allowed(size_t size)
{
    if (power < 0)
        return size;
    const size_t count = (size_t)power < size ? (size_t)power : size;
    power -= (long)count;
    return count;
}

static int erase(void *context, size_t offset, size_t size)
{
    (void)context;
    const size_t count = allowed(size);
    memset(flash_bytes + offset, 0xFF, count);
    return count == size;
}

static int program(void *context, size_t offset, const uint8_t *bytes, size_t size)
{
    (void)context;
    const size_t count = allowed(size);
    for (size_t i = 0; i < count; i++)
        flash_bytes[offset + i] &= bytes[i];
    return count == size;
}

static void write_out(void *context, const uint8_t *bytes, size_t size)
{
    (void)context;
    if (size <= OUT - out_bytes) {
        memcpy(out + out_bytes, bytes, size);
        out_bytes += size;
    }
}

static uint32_t count_time(void *context)
{
    (void)context;
    return now += 480;
}

void host_start(void);

static void restart(void *context)
{
    (void)context;
    restarts++;
    host_start();
}

static int set_light(void *context, unsigned index, int on)
{
    (void)context;
    if (index >= LIGHTS)
        return 0;
    lights[index] = (uint8_t)on;
    return 1;
}

static int set_text(void *context, unsigned line, const char *text)
{
    (void)context;
    if (line >= PEDAL_LINK_TEXT_LINES)
        return 0;
    memcpy(lines[line], text, sizeof lines[line]);
    return 1;
}

/* As after power-up; the flash stays. */
void host_start(void)
{
    const pedal_link_board board = {.name = "host", .firmware = "tests", .clock_hz = 48000000,
                                    .counter = PEDAL_LINK_COUNTER_CYCLES, .write = write_out, .time = count_time,
                                    .restart = restart, .light = set_light, .text = set_text};
    const pedal_flash flash = {.bytes = flash_bytes, .page_bytes = PAGE, .unit_bytes = UNIT, .slot_bytes = SLOT,
                               .erase = erase, .program = program};
    pedal_link_init(&board_link, &board, &flash);
}

void host_erase(void);
void host_erase(void)
{
    memset(flash_bytes, 0xFF, sizeof flash_bytes);
}

void host_power(long bytes);
void host_power(long bytes)
{
    power = bytes;
}

size_t host_take(const uint8_t *bytes, size_t size, uint8_t *answer);
size_t host_take(const uint8_t *bytes, size_t size, uint8_t *answer)
{
    for (size_t i = 0; i < size; i++)
        pedal_link_receive(&board_link, bytes[i]);
    const size_t count = out_bytes;
    memcpy(answer, out, count);
    out_bytes = 0;
    return count;
}

void host_play(const pedal_player_sample *in, pedal_player_sample *wet, size_t n);
void host_play(const pedal_player_sample *in, pedal_player_sample *wet, size_t n)
{
    pedal_link_play(&board_link, in, wet, n);
}

void host_switch(unsigned index, int pressed);
void host_switch(unsigned index, int pressed)
{
    pedal_link_footswitch(&board_link, index, pressed);
}

void host_knob(unsigned index, uint16_t value);
void host_knob(unsigned index, uint16_t value)
{
    pedal_link_knob(&board_link, index, value);
}

int host_light(unsigned index);
int host_light(unsigned index)
{
    return lights[index];
}

const char *host_text(unsigned line);
const char *host_text(unsigned line)
{
    return lines[line];
}

uint8_t *host_flash(void);
uint8_t *host_flash(void)
{
    return flash_bytes;
}

size_t host_flash_bytes(void);
size_t host_flash_bytes(void)
{
    return sizeof flash_bytes;
}
