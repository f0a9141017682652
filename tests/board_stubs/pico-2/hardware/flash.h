/* As much of the Pico SDK as the example uses: declarations alone, to compile against. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define FLASH_PAGE_SIZE 256u
#define FLASH_SECTOR_SIZE 4096u
#define PICO_FLASH_SIZE_BYTES (4u * 1024u * 1024u)
#define XIP_BASE 0x10000000u

extern "C" {
void flash_range_erase(uint32_t offset, size_t size);
void flash_range_program(uint32_t offset, const uint8_t *bytes, size_t size);
}
