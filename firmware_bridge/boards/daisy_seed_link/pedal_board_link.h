/* A Daisy Seed's side of the link: the end of its QSPI flash, and serial over the board's own USB socket.
 *
 * The flash cannot be read while it is written: live audio passes dry for as long. A program that runs from that flash
 * (APP_TYPE=BOOT_QSPI) cannot write it: use BOOT_SRAM.
 */
#ifndef PEDAL_BOARD_LINK_H
#define PEDAL_BOARD_LINK_H

#include <string.h>

#include "daisy_seed.h"
#include "pedal_link.h"

static const uint32_t PEDAL_QSPI_BYTES = 8 * 1024 * 1024, PEDAL_SECTOR_BYTES = 4096, PEDAL_UNIT_BYTES = 256;
static const uint32_t PEDAL_STORE_OFFSET = PEDAL_QSPI_BYTES - 2 * PEDAL_SECTOR_BYTES - 2 * PEDAL_PLAYER_SLOT_BYTES;
static const uint32_t PEDAL_WRITE_MS = 100; /* until nobody listens */

/* The program's own. */
extern daisy::DaisySeed daisy_board;
static daisy::UsbHandle pedal_usb;

/* What came, from an interrupt: a question has 550 bytes on the wire at most, and waits for its answer. */
static uint8_t pedal_ring[2048];
static volatile uint32_t pedal_received, pedal_taken;

static void pedal_board_keep(uint8_t *bytes, uint32_t *size)
{
    for (uint32_t i = 0; i < *size; i++) {
        pedal_ring[pedal_received % sizeof pedal_ring] = bytes[i];
        pedal_received = pedal_received + 1;
    }
}

/* A byte from the host, or -1. */
static int pedal_board_read()
{
    if (pedal_taken == pedal_received)
        return -1;
    const uint8_t byte = pedal_ring[pedal_taken % sizeof pedal_ring];
    pedal_taken = pedal_taken + 1;
    return byte;
}

/* The flash was changed, and live audio may read it again. */
static int pedal_board_changed(pedal_program *program, size_t offset, size_t size, daisy::QSPIHandle::Result result)
{
    dsy_dma_invalidate_cache_for_buffer((uint8_t *)daisy_board.qspi.GetData(PEDAL_STORE_OFFSET + (uint32_t)offset), size);
    program->link.changing = 0;
    return result == daisy::QSPIHandle::Result::OK;
}

static int pedal_board_erase(void *context, size_t offset, size_t size)
{
    pedal_program *program = (pedal_program *)context;
    const uint32_t start = PEDAL_STORE_OFFSET + (uint32_t)offset;
    program->link.changing = 1;
    return pedal_board_changed(program, offset, size, daisy_board.qspi.Erase(start, start + (uint32_t)size));
}

static int pedal_board_program(void *context, size_t offset, const uint8_t *bytes, size_t size)
{
    pedal_program *program = (pedal_program *)context;
    uint8_t unit[PEDAL_UNIT_BYTES]; /* the driver wants bytes that it might change */
    memcpy(unit, bytes, size);
    program->link.changing = 1;
    return pedal_board_changed(program, offset, size,
                               daisy_board.qspi.Write(PEDAL_STORE_OFFSET + (uint32_t)offset, (uint32_t)size, unit));
}

/* Two buffers in turn: the driver sends from where the bytes lie, and takes the next only when the last have gone. */
static void pedal_board_write(void *, const uint8_t *bytes, size_t size)
{
    static uint8_t buffers[2][PEDAL_LINK_WIRE_BYTES];
    static unsigned turn;
    uint8_t *buffer = buffers[turn ^= 1];
    memcpy(buffer, bytes, size);
    const uint32_t before_ms = daisy::System::GetNow();
    while (pedal_usb.TransmitInternal(buffer, size) != daisy::UsbHandle::Result::OK)
        if (daisy::System::GetNow() - before_ms > PEDAL_WRITE_MS)
            return;
}

static void pedal_board_describe(pedal_link_board *board, pedal_flash *flash)
{
    pedal_usb.Init(daisy::UsbHandle::FS_INTERNAL);
    pedal_usb.SetReceiveCallback(pedal_board_keep, daisy::UsbHandle::FS_INTERNAL);
    board->name = "daisy-seed";
    board->clock_hz = daisy::System::GetSysClkFreq();
    board->write = pedal_board_write;
    flash->bytes = (const uint8_t *)daisy_board.qspi.GetData(PEDAL_STORE_OFFSET);
    flash->page_bytes = PEDAL_SECTOR_BYTES;
    flash->unit_bytes = PEDAL_UNIT_BYTES;
    flash->erase = pedal_board_erase;
    flash->program = pedal_board_program;
}

#endif
