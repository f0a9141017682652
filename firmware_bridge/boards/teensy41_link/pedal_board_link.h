/* A Teensy 4.1's side of the link: the end of its program flash, below what the core keeps for EEPROM, and USB serial.
 *
 * The core's own functions erase and write; they stop interrupts meanwhile, and with them the music.
 */
#ifndef PEDAL_BOARD_LINK_H
#define PEDAL_BOARD_LINK_H

#include <Arduino.h>

#include "pedal_link.h"

/* Of the core's eeprom.c, and how long its linker says that the program is. */
extern "C" {
void eepromemu_flash_write(void *address, const void *bytes, uint32_t size);
void eepromemu_flash_erase_sector(void *address);
extern unsigned long _flashimagelen;
}

static const uint32_t PEDAL_FLASH_START = 0x60000000, PEDAL_FLASH_END = 0x607C0000, PEDAL_SECTOR_BYTES = 4096;
static const uint32_t PEDAL_STORE_START = PEDAL_FLASH_END - 2 * PEDAL_SECTOR_BYTES - 2 * PEDAL_PLAYER_SLOT_BYTES;

static int pedal_board_erase(void *, size_t offset, size_t size)
{
    /* A program that reaches into the slots must not erase itself. */
    if (PEDAL_FLASH_START + (uint32_t)(uintptr_t)&_flashimagelen > PEDAL_STORE_START)
        return 0;
    for (size_t at = 0; at < size; at += PEDAL_SECTOR_BYTES)
        eepromemu_flash_erase_sector((void *)(PEDAL_STORE_START + offset + at));
    return 1;
}

static int pedal_board_program(void *, size_t offset, const uint8_t *bytes, size_t size)
{
    eepromemu_flash_write((void *)(PEDAL_STORE_START + offset), bytes, (uint32_t)size);
    return 1;
}

static void pedal_board_write(void *, const uint8_t *bytes, size_t size)
{
    Serial.write(bytes, size);
    Serial.send_now();
}

/* A byte from the host, or -1. */
static int pedal_board_read()
{
    return Serial.available() > 0 ? Serial.read() : -1;
}

static void pedal_board_describe(pedal_link_board *board, pedal_flash *flash)
{
    board->name = "teensy-4.1";
    board->clock_hz = F_CPU_ACTUAL;
    board->write = pedal_board_write;
    flash->bytes = (const uint8_t *)PEDAL_STORE_START;
    flash->page_bytes = PEDAL_SECTOR_BYTES;
    flash->unit_bytes = 256; /* what the chip programs at once */
    flash->erase = pedal_board_erase;
    flash->program = pedal_board_program;
}

#endif
