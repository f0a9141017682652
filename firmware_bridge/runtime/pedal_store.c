#include "pedal_store.h"

#include <string.h>

#include "pedal_link_frame.h"

#define RECORD_MAGIC UINT32_C(0x6372504E)

/* A record: magic, generation, selected slot, mask of known slots, 0, 0, their CRCs, CRC of all that. */
enum { GENERATION = 4, SELECTED = 8, KNOWN = 9, CRCS = 12, RECORD_CRC = CRCS + 4 * PEDAL_LINK_SLOTS,
       RECORD_BYTES = RECORD_CRC + 4 };

static size_t slot_offset(const pedal_store *store, unsigned slot)
{
    return 2 * store->flash.page_bytes + slot * store->flash.slot_bytes;
}

static int is_record(const uint8_t *bytes)
{
    return pedal_get_32(bytes) == RECORD_MAGIC && pedal_crc32(0, bytes, RECORD_CRC) == pedal_get_32(bytes + RECORD_CRC);
}

static int is_erased(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0xFF)
            return 0;
    return 1;
}

/* The newest record; NULL for none. Sets store->page and store->next. */
static const uint8_t *find_record(pedal_store *store)
{
    const pedal_flash *flash = &store->flash;
    const uint8_t *newest = NULL;
    for (size_t page = 0; page < 2; page++) {
        const uint8_t *bytes = flash->bytes + page * flash->page_bytes;
        size_t next = 0;
        int here = 0;
        for (size_t at = 0; at + flash->unit_bytes <= flash->page_bytes; at += flash->unit_bytes) {
            if (!is_erased(bytes + at, flash->unit_bytes))
                next = at + flash->unit_bytes;
            if (is_record(bytes + at) &&
                (!newest || pedal_get_32(bytes + at + GENERATION) > pedal_get_32(newest + GENERATION))) {
                newest = bytes + at;
                here = 1;
            }
        }
        if (here) {
            store->page = page;
            store->next = next;
        }
    }
    return newest;
}

static void check_slot(pedal_store *store, unsigned slot)
{
    store->valid[slot] =
        store->known[slot] &&
        pedal_blob_read(&store->blobs[slot], store->flash.bytes + slot_offset(store, slot), store->flash.slot_bytes,
                        &store->capacity) == 0 &&
        store->blobs[slot].crc == store->crcs[slot];
}

static void find_state(pedal_store *store)
{
    store->selected = store->target = PEDAL_STORE_NONE;
    store->generation = 0;
    store->page = 1;
    store->next = store->flash.page_bytes; /* without a record: full, so that the other page is begun */
    const uint8_t *record = find_record(store);
    for (unsigned slot = 0; slot < PEDAL_LINK_SLOTS; slot++) {
        store->known[slot] = record != NULL && (record[KNOWN] >> slot & 1);
        store->crcs[slot] = record ? pedal_get_32(record + CRCS + 4 * slot) : 0;
        check_slot(store, slot);
    }
    if (!record)
        return;
    store->generation = pedal_get_32(record + GENERATION);
    store->selected = record[SELECTED];
    if (store->selected < PEDAL_LINK_SLOTS && store->valid[store->selected])
        return;
    /* Its flash has aged, or never was: the other one is better than none. */
    store->selected = store->selected == PEDAL_STORE_NONE ? PEDAL_STORE_NONE
                      : store->valid[0]                   ? 0
                      : store->valid[1]                   ? 1
                                                          : PEDAL_STORE_NONE;
}

void pedal_store_open(pedal_store *store, const pedal_flash *flash, const pedal_capacity *capacity)
{
    memset(store, 0, sizeof *store);
    store->flash = *flash;
    store->capacity = *capacity;
    find_state(store);
}

/* Write a record of a new state; only a whole one changes anything. */
static int append_record(pedal_store *store, uint8_t selected, const uint8_t known[PEDAL_LINK_SLOTS],
                         const uint32_t crcs[PEDAL_LINK_SLOTS])
{
    const pedal_flash *flash = &store->flash;
    uint8_t record[PEDAL_STORE_LARGEST_UNIT];
    memset(record, 0xFF, sizeof record);
    memset(record, 0, RECORD_BYTES);
    pedal_put_32(record, RECORD_MAGIC);
    pedal_put_32(record + GENERATION, store->generation + 1);
    record[SELECTED] = selected;
    for (unsigned slot = 0; slot < PEDAL_LINK_SLOTS; slot++) {
        record[KNOWN] |= (uint8_t)(known[slot] << slot);
        pedal_put_32(record + CRCS + 4 * slot, crcs[slot]);
    }
    pedal_put_32(record + RECORD_CRC, pedal_crc32(0, record, RECORD_CRC));
    if (store->next + flash->unit_bytes > flash->page_bytes) {
        /* The other page holds older records only. */
        const size_t other = 1 - store->page;
        if (!flash->erase(flash->context, other * flash->page_bytes, flash->page_bytes))
            return 0;
        store->page = other;
        store->next = 0;
    }
    const size_t offset = store->page * flash->page_bytes + store->next;
    store->next += flash->unit_bytes;
    if (!flash->program(flash->context, offset, record, flash->unit_bytes) ||
        memcmp(flash->bytes + offset, record, RECORD_BYTES) != 0)
        return 0;
    store->generation++;
    return 1;
}

/* Where an upload whose beginning the slot holds since before a reset goes on: at the page of the last byte that was written,
 * which may have been torn. 0 where it holds nothing of it. The commit checks what is kept. */
static uint32_t find_beginning(const pedal_store *store, unsigned slot, uint32_t bytes, uint32_t crc)
{
    const pedal_flash *flash = &store->flash;
    const uint8_t *place = flash->bytes + slot_offset(store, slot);
    size_t end = bytes;
    if (!pedal_blob_begins(place, bytes, crc))
        return 0;
    while (place[end - 1] == 0xFF)
        end--;
    return (uint32_t)((end - 1) / flash->page_bytes * flash->page_bytes);
}

int pedal_store_begin(pedal_store *store, uint32_t bytes, uint32_t crc)
{
    const pedal_flash *flash = &store->flash;
    if (bytes == 0 || bytes > flash->slot_bytes)
        return PEDAL_LINK_FAULT_CAPACITY;
    if (store->target != PEDAL_STORE_NONE && store->announced_bytes == bytes && store->announced_crc == crc)
        return 0;
    const uint8_t target = store->selected == 0 ? 1 : 0;
    store->target = PEDAL_STORE_NONE;
    store->announced_bytes = bytes;
    store->announced_crc = crc;
    if (store->valid[target] && store->blobs[target].crc == crc && store->blobs[target].bytes == bytes) {
        store->target = target; /* it lies there already */
        store->written = bytes;
        return 0;
    }
    store->valid[target] = 0;
    const uint32_t kept = find_beginning(store, target, bytes, crc);
    const size_t pages = (bytes - kept + flash->page_bytes - 1) / flash->page_bytes;
    if (!flash->erase(flash->context, slot_offset(store, target) + kept, pages * flash->page_bytes))
        return PEDAL_LINK_FAULT_FLASH;
    store->target = target;
    store->written = kept;
    return 0;
}

int pedal_store_write(pedal_store *store, uint32_t offset, const uint8_t *bytes, size_t size)
{
    const pedal_flash *flash = &store->flash;
    if (store->target == PEDAL_STORE_NONE)
        return PEDAL_LINK_FAULT_IDLE;
    if (size == 0 || offset > store->announced_bytes || size > store->announced_bytes - offset)
        return PEDAL_LINK_FAULT_OFFSET;
    if (offset != store->written)
        return 0;
    if (size != PEDAL_LINK_CHUNK_BYTES && offset + size != store->announced_bytes)
        return PEDAL_LINK_FAULT_SIZE;
    const size_t place = slot_offset(store, store->target) + offset;
    uint8_t unit[PEDAL_STORE_LARGEST_UNIT];
    for (size_t at = 0; at < size; at += flash->unit_bytes) {
        const size_t count = size - at < flash->unit_bytes ? size - at : flash->unit_bytes;
        memset(unit, 0xFF, sizeof unit);
        memcpy(unit, bytes + at, count);
        if (!flash->program(flash->context, place + at, unit, flash->unit_bytes) ||
            memcmp(flash->bytes + place + at, bytes + at, count) != 0) {
            store->target = PEDAL_STORE_NONE; /* half a piece: the upload must begin again */
            return PEDAL_LINK_FAULT_FLASH;
        }
    }
    store->written += (uint32_t)size;
    return 0;
}

/* After a record that could not be written: whatever the flash says now. */
static int give_up(pedal_store *store)
{
    find_state(store);
    return PEDAL_LINK_FAULT_FLASH;
}

int pedal_store_commit(pedal_store *store, uint32_t crc)
{
    const uint8_t target = store->target;
    if (target == PEDAL_STORE_NONE || store->written != store->announced_bytes)
        return PEDAL_LINK_FAULT_IDLE;
    if (crc != store->announced_crc)
        return PEDAL_LINK_FAULT_CRC;
    if (store->valid[target])
        return 0;
    const int fault = pedal_blob_read(&store->blobs[target], store->flash.bytes + slot_offset(store, target),
                                      store->flash.slot_bytes, &store->capacity);
    if (fault != 0 || store->blobs[target].crc != crc || store->blobs[target].bytes != store->announced_bytes) {
        /* Without its first page nothing of it is kept by the next upload. */
        store->target = PEDAL_STORE_NONE;
        (void)store->flash.erase(store->flash.context, slot_offset(store, target), store->flash.page_bytes);
        return fault ? fault : PEDAL_LINK_FAULT_CRC;
    }
    uint8_t known[PEDAL_LINK_SLOTS];
    uint32_t crcs[PEDAL_LINK_SLOTS];
    memcpy(known, store->known, sizeof known);
    memcpy(crcs, store->crcs, sizeof crcs);
    known[target] = 1;
    crcs[target] = crc;
    if (!append_record(store, store->selected, known, crcs))
        return give_up(store);
    store->known[target] = store->valid[target] = 1;
    store->crcs[target] = crc;
    return 0;
}

int pedal_store_select(pedal_store *store, unsigned slot)
{
    if (slot >= PEDAL_LINK_SLOTS || !store->valid[slot])
        return PEDAL_LINK_FAULT_SLOT;
    if (slot == store->selected)
        return 0;
    if (!append_record(store, (uint8_t)slot, store->known, store->crcs))
        return give_up(store);
    store->selected = (uint8_t)slot;
    /* The slot of the former upload may play now. */
    store->target = PEDAL_STORE_NONE;
    return 0;
}
