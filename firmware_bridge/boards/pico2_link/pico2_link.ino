/* A pedal on a Raspberry Pi Pico 2 that speaks the link over USB serial, in the Arduino core arduino-pico.
 *
 * Until a model was uploaded, the one that this program was made with plays. Pins: data to the codec 0, data from it 1, bit clock
 * 2, word clock 3, footswitch 14, LED the board's own, which is light 0. neuralpedal firmware MODEL.tflite --board pico-2 --link
 * puts it beside the model. Compiled in neuralpedal's tests against stub headers; it has not run on hardware.
 */
#include <I2S.h>
#include <hardware/flash.h>
#include <hardware/sync.h>

#include "pedal.h"
#include "pedal_bypass.h"
#include "pedal_cycles.h"
#include "pedal_link.h"

#if !PEDAL_IO_INT16
#error "this sketch's samples are int16: generate the model with --io int16"
#endif

static const int DATA_OUT_PIN = 0, DATA_IN_PIN = 1, BIT_CLOCK_PIN = 2, FOOTSWITCH_PIN = 14;
static const int BLOCK_SAMPLES = 16;

/* Records and slots at the end of the flash; "Flash Size" in the IDE must leave a file system of 512 KiB, which they take. */
static const uint32_t STORE_BYTES = 2 * FLASH_SECTOR_SIZE + 2 * PEDAL_PLAYER_SLOT_BYTES;
static const uint32_t STORE_OFFSET = PICO_FLASH_SIZE_BYTES - 512 * 1024;
static_assert(STORE_BYTES <= 500 * 1024, "the slots are larger than what is left for them");

/* In this core's words both directions at once. */
static I2S i2s(INPUT_PULLUP);
static pedal_state pedal;
static pedal_bypass bypass;
static pedal_link board_link;

/* Nothing may run from the flash while it is written: the music stops for as long. */
static int erase(void *, size_t offset, size_t size)
{
    const uint32_t before = save_and_disable_interrupts();
    flash_range_erase(STORE_OFFSET + (uint32_t)offset, size);
    restore_interrupts(before);
    return 1;
}

static int program(void *, size_t offset, const uint8_t *bytes, size_t size)
{
    const uint32_t before = save_and_disable_interrupts();
    flash_range_program(STORE_OFFSET + (uint32_t)offset, bytes, size);
    restore_interrupts(before);
    return 1;
}

static void write_serial(void *, const uint8_t *bytes, size_t size)
{
    Serial.write(bytes, size);
    Serial.flush();
}

static uint32_t count_cycles(void *)
{
    return pedal_cycles();
}

static void restart(void *)
{
    rp2040.reboot();
}

static int set_light(void *, unsigned index, int on)
{
    if (index != 0)
        return 0;
    digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
    return 1;
}

static void start_link()
{
    pedal_link_board board = {};
    board.name = "pico-2";
    board.firmware = PEDAL_NAME;
    board.clock_hz = (uint32_t)rp2040.f_cpu();
    board.sample_rate_hz = PEDAL_SAMPLE_RATE_HZ;
    board.counter = PEDAL_LINK_COUNTER_CYCLES;
    board.write = write_serial;
    board.time = count_cycles;
    board.restart = restart;
    board.light = set_light;
    pedal_flash flash = {};
    flash.bytes = (const uint8_t *)(XIP_BASE + STORE_OFFSET);
    flash.page_bytes = FLASH_SECTOR_SIZE;
    flash.unit_bytes = FLASH_PAGE_SIZE;
    flash.slot_bytes = PEDAL_PLAYER_SLOT_BYTES;
    flash.erase = erase;
    flash.program = program;
    pedal_link_init(&board_link, &board, &flash);
}

void setup()
{
    pinMode(FOOTSWITCH_PIN, INPUT_PULLUP);
    pinMode(LED_BUILTIN, OUTPUT);
    pedal_init(&pedal);
    pedal_bypass_init(&bypass, 1);
    pedal_cycles_start();
    Serial.begin(1000000);
    start_link();
    i2s.setDOUT(DATA_OUT_PIN);
    i2s.setDIN(DATA_IN_PIN);
    i2s.setBCLK(BIT_CLOCK_PIN);
    i2s.setBitsPerSample(16);
    /* Few and short buffers: each is BLOCK_SAMPLES of latency. */
    i2s.setBuffers(4, BLOCK_SAMPLES);
    if (!i2s.begin(PEDAL_SAMPLE_RATE_HZ))
        for (;;)
            digitalWrite(LED_BUILTIN, millis() / 100 % 2);
}

/* The codec's clock paces it: reading waits for the next sample. */
void loop()
{
    int16_t dry[BLOCK_SAMPLES], wet[BLOCK_SAMPLES], unused;
    for (int t = 0; t < BLOCK_SAMPLES; t++)
        i2s.read16(&dry[t], &unused);
    if (board_link.store.selected == PEDAL_STORE_NONE)
        pedal_process(&pedal, dry, wet, BLOCK_SAMPLES);
    else
        pedal_link_play(&board_link, dry, wet, BLOCK_SAMPLES);
    for (int t = 0; t < BLOCK_SAMPLES; t++) {
        const int16_t heard = pedal_bypass_mix(&bypass, dry[t], wet[t]);
        i2s.write16(heard, heard);
    }
    pedal_bypass_read(&bypass, digitalRead(FOOTSWITCH_PIN) == LOW, BLOCK_SAMPLES);
    pedal_link_footswitch(&board_link, 0, bypass.pressed);
    while (Serial.available() > 0)
        pedal_link_receive(&board_link, (uint8_t)Serial.read());
}
