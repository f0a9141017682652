/* Two slots for models in flash, and which of them plays: changed by one record, so that whatever cuts the power, the old
 * state or the new one is found.
 *
 * Flash: two pages of records, then the slots. A record is written behind the last one and says everything: the newest whose
 * CRC is right counts. A slot is valid when that record knows its blob's CRC and the blob has it.
 */
#ifndef PEDAL_STORE_H
#define PEDAL_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "pedal_blob.h"
#include "pedal_link_protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PEDAL_STORE_NONE 255
/* The largest unit that a flash may be programmed in. */
#define PEDAL_STORE_LARGEST_UNIT 256

/* Flash that is read like memory. Functions give 0 when they failed. Erased bytes are 0xFF. */
typedef struct {
    const uint8_t *bytes; /* at a multiple of PEDAL_BLOB_ALIGNMENT */
    size_t page_bytes;    /* erased at once */
    size_t unit_bytes;    /* programmed at once: a power of two from 32 to PEDAL_STORE_LARGEST_UNIT */
    size_t slot_bytes;    /* of a model: whole pages */
    int (*erase)(void *context, size_t offset, size_t size);
    int (*program)(void *context, size_t offset, const uint8_t *bytes, size_t size);
    void *context;
} pedal_flash;

typedef struct {
    pedal_flash flash;
    pedal_capacity capacity;
    pedal_blob blobs[PEDAL_LINK_SLOTS];
    uint32_t crcs[PEDAL_LINK_SLOTS]; /* of the newest record */
    uint8_t known[PEDAL_LINK_SLOTS]; /* whether that has one */
    uint8_t valid[PEDAL_LINK_SLOTS];
    uint8_t selected; /* the slot that plays, PEDAL_STORE_NONE for none */
    uint32_t generation;
    size_t page, next; /* of records: the page with the newest, and the first free unit in it */
    uint8_t target;    /* the slot of the upload under way, PEDAL_STORE_NONE for none */
    uint32_t announced_bytes, announced_crc, written;
} pedal_store;

/* Find what the flash holds. Writes nothing. */
void pedal_store_open(pedal_store *store, const pedal_flash *flash, const pedal_capacity *capacity);

/* What follows gives 0, or a PEDAL_LINK_FAULT_... */

/* An upload of such a blob begins, or goes on at store->written. */
int pedal_store_begin(pedal_store *store, uint32_t bytes, uint32_t crc);

/* Write a piece; one that does not begin at store->written is left out. */
int pedal_store_write(pedal_store *store, uint32_t offset, const uint8_t *bytes, size_t size);

/* All is written: from now on the slot is valid. */
int pedal_store_commit(pedal_store *store, uint32_t crc);

/* From now on this slot plays. */
int pedal_store_select(pedal_store *store, unsigned slot);

#ifdef __cplusplus
}
#endif

#endif
