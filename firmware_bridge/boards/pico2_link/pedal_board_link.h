/* A Raspberry Pi Pico 2's side of the link: the end of its flash, and USB serial.
 *
 * "Flash Size" in the IDE must leave a file system of 512 KiB, which records and slots take.
 */
#ifndef PEDAL_BOARD_LINK_H
#define PEDAL_BOARD_LINK_H

#include <hardware/flash.h>
#include <hardware/sync.h>

#include "pedal_link.h"

static const uint32_t PEDAL_STORE_OFFSET = PICO_FLASH_SIZE_BYTES - 512 * 1024;
static_assert(2 * FLASH_SECTOR_SIZE + 2 * PEDAL_PLAYER_SLOT_BYTES <= 500 * 1024,
              "the slots are larger than what is left for them");

/* Nothing may run from the flash while it is written: the music stops for as long. */
static int pedal_board_erase(void *, size_t offset, size_t size)
{
    const uint32_t before = save_and_disable_interrupts();
    flash_range_erase(PEDAL_STORE_OFFSET + (uint32_t)offset, size);
    restore_interrupts(before);
    return 1;
}

static int pedal_board_program(void *, size_t offset, const uint8_t *bytes, size_t size)
{
    const uint32_t before = save_and_disable_interrupts();
    flash_range_program(PEDAL_STORE_OFFSET + (uint32_t)offset, bytes, size);
    restore_interrupts(before);
    return 1;
}

static void pedal_board_write(void *, const uint8_t *bytes, size_t size)
{
    Serial.write(bytes, size);
    Serial.flush();
}

/* A byte from the host, or -1. */
static int pedal_board_read()
{
    return Serial.available() > 0 ? Serial.read() : -1;
}

static void pedal_board_restart(void *)
{
    rp2040.reboot();
}

static void pedal_board_describe(pedal_link_board *board, pedal_flash *flash)
{
    Serial.begin(1000000);
    board->name = "pico-2";
    board->clock_hz = (uint32_t)rp2040.f_cpu();
    board->write = pedal_board_write;
    board->restart = pedal_board_restart;
    flash->bytes = (const uint8_t *)(XIP_BASE + PEDAL_STORE_OFFSET);
    flash->page_bytes = FLASH_SECTOR_SIZE;
    flash->unit_bytes = FLASH_PAGE_SIZE;
    flash->erase = pedal_board_erase;
    flash->program = pedal_board_program;
}

#endif
