#include "pedal_blob.h"

#include <string.h>

#include "pedal_link_frame.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "blobs are little-endian and played where they lie"
#endif

/* Where the fields of the header lie. */
enum { MAGIC = 0, FORMAT = 4, ARITHMETIC = 6, SAMPLES = 7, BYTES = 8, CRC = 12, RATE = 16, LAYERS = 20, FLAGS = 21,
       HIDDEN = 22, DIGEST = 24, NAME = 40 };

/* Flags: the answer is added to the dry signal; the model begins in a state of its own. */
enum { SKIP = 1, BEGINS = 2, ALL_FLAGS = 3 };

/* Where the integer constants lie, which are shifts. */
enum { HEAD_SHIFT = 8, SKIP_SHIFT = 9, GUARD_BITS = 10, GATE_BITS = 11, CELL_BITS = 13, INPUT_MAP = 16, OUTPUT_MAP = 32,
       MAP_FLOAT_GAIN = 8, MAP_SHIFT = 12, LARGEST_SIZE = 4096, ROW_BYTES = 12 };

static const uint8_t magic[4] = {'N', 'P', 'd', 'l'};

/* Gives tables one after the other; sizes are rounded up to the alignment. */
typedef struct {
    const uint8_t *bytes;
    size_t offset;
} cutter;

static const void *cut(cutter *from, size_t size)
{
    const uint8_t *table = from->bytes + from->offset;
    from->offset += (size + PEDAL_BLOB_ALIGNMENT - 1) / PEDAL_BLOB_ALIGNMENT * PEDAL_BLOB_ALIGNMENT;
    return table;
}

/* Cells of 32 bits, hidden states as the weights are. */
static void cut_beginning(pedal_blob *blob, cutter *from, size_t hidden_bytes)
{
    for (int index = 0; blob->begins && index < blob->layers; index++) {
        blob->layer[index].first_cell = cut(from, sizeof(int32_t) * blob->hidden);
        blob->layer[index].first_hidden = cut(from, hidden_bytes * blob->padded);
    }
}

static void cut_float(pedal_blob *blob, cutter *from)
{
    const size_t size = blob->hidden, sums = 4 * sizeof(float);
    const size_t row = (blob->arithmetic == PEDAL_LINK_ARITHMETIC_GRU ? 3 : 4) * sizeof(float);
    for (int index = 0; index < blob->layers; index++) {
        blob->layer[index].rows = cut(from, sums * size);
        blob->layer[index].kernel = cut(from, row * size * (index == 0 ? 1 : size));
        blob->layer[index].recurrent = cut(from, row * size * size);
    }
    blob->head = cut(from, sizeof(float) * size);
    cut_beginning(blob, from, sizeof(float));
}

static void cut_w8a16(pedal_blob *blob, cutter *from)
{
    const size_t size = blob->hidden, weights = 4 * sizeof(int16_t) * size * blob->padded;
    for (int index = 0; index < blob->layers; index++) {
        blob->layer[index].rows = cut(from, (size_t)(4 * ROW_BYTES) * size);
        if (index > 0)
            blob->layer[index].kernel = cut(from, weights);
        blob->layer[index].recurrent = cut(from, weights);
    }
    blob->head = cut(from, sizeof(int16_t) * blob->padded);
    cut_beginning(blob, from, sizeof(int16_t));
}

/* Of LiteRT's sigmoid and tanh, of a cell finer than a gate; samples of all int8 answers. */
enum { STEPS_BYTES = 2 * 257, BEYOND_BYTES = 32769, LINES_BYTES = 4 * 257, CORRECTIONS_BYTES = 4 * 4097,
       ANSWERS = 256, FINE_CELLS = 0 };

static void cut_w8a8(pedal_blob *blob, cutter *from, int channels)
{
    const size_t size = blob->hidden, weights = 4 * sizeof(int16_t) * size * blob->padded;
    blob->settings = cut(from, PEDAL_BLOB_SETTINGS_BYTES);
    for (int index = 0; index < blob->layers; index++) {
        blob->layer[index].format = cut(from, PEDAL_BLOB_FORMAT_BYTES);
        blob->layer[index].rows = cut(from, 4 * 2 * sizeof(int32_t) * size);
        blob->layer[index].kernel = cut(from, index == 0 ? 4 * sizeof(int16_t) * size * (size_t)channels : weights);
        blob->layer[index].recurrent = cut(from, weights);
    }
    blob->head = cut(from, sizeof(int16_t) * blob->padded);
    blob->reciprocal_steps = cut(from, STEPS_BYTES);
    blob->reciprocal_beyond = cut(from, BEYOND_BYTES);
    for (int bits = 0; bits < PEDAL_BLOB_FINE_CELLS; bits++)
        if (blob->constants[FINE_CELLS] >> bits & 1) {
            blob->lines[bits] = cut(from, LINES_BYTES);
            blob->corrections[bits] = cut(from, CORRECTIONS_BYTES);
        }
    for (int channel = 0; blob->samples == PEDAL_LINK_SAMPLES_INT16 && channel < channels; channel++)
        blob->answers[channel] = cut(from, ANSWERS * (channels == 1 ? sizeof(int16_t) : sizeof(int32_t)));
    cut_beginning(blob, from, sizeof(int16_t));
}

static int is_within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high;
}

/* No infinity and no NaN. */
static int are_finite(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + 4 <= size; at += 4)
        if ((pedal_get_32(bytes + at) & 0x7F800000u) == 0x7F800000u)
            return 0;
    return 1;
}

static int is_map_right(const uint8_t *map, uint8_t samples)
{
    if (samples == PEDAL_LINK_SAMPLES_FLOAT)
        return are_finite(map, 8);
    const uint32_t gain = pedal_get_32(map + MAP_FLOAT_GAIN), shift = pedal_get_32(map + MAP_SHIFT);
    const uint32_t low = pedal_get_32(map), high = pedal_get_32(map + 4);
    if (gain != 0)
        return gain < 1u << 24 && high < 1u << 6 && is_within(shift, 25, 62);
    return high == 0 && (shift == 0 ? low < 1u << 15 : shift < 32);
}

/* Where a layer begins, that no sum grows beyond what the writer proved. */
static int are_cells_within(const pedal_blob *blob, int index, int32_t limit)
{
    const uint8_t *cells = blob->layer[index].first_cell;
    for (size_t n = 0; cells && n < blob->hidden; n++) {
        const int32_t cell = (int32_t)pedal_get_32(cells + 4 * n);
        if (cell < -limit || cell >= limit)
            return 0;
    }
    return 1;
}

/* Shifts that a processor has, formats that the kernel has. */
static int is_w8a16_right(const pedal_blob *blob)
{
    const uint8_t *constants = blob->constants;
    if (constants[HEAD_SHIFT] > 62 || constants[SKIP_SHIFT] > 30 || constants[GUARD_BITS] > 8)
        return 0;
    for (int index = 0; index < blob->layers; index++) {
        if (!is_within(constants[GATE_BITS + index], 9, 20) || !is_within(constants[CELL_BITS + index], 9, 27))
            return 0;
        const uint8_t *row = blob->layer[index].rows;
        for (size_t n = 0; n < 4 * (size_t)blob->hidden; n++, row += ROW_BYTES) {
            if (pedal_get_16(row + 10) > 30 || (index > 0 && pedal_get_16(row + 6) > 30))
                return 0;
        }
        if (!are_cells_within(blob, index, INT32_C(1) << 30))
            return 0;
    }
    return is_map_right(constants + INPUT_MAP, blob->samples) && is_map_right(constants + OUTPUT_MAP, blob->samples);
}

static int32_t word(const void *table, size_t index)
{
    return (int32_t)pedal_get_32((const uint8_t *)table + 4 * index);
}

/* Shifts of factors (multiplier, shift), one after the other, as pedal_rescaling.h can do them. */
static int are_factors_right(const void *table, size_t first, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        const int32_t shift = word(table, first + 2 * n + 1);
        if (shift < -31 || shift > 30)
            return 0;
    }
    return 1;
}

/* Where the words of settings and formats lie. */
enum { HEAD_FACTOR = 1, FINE_FACTOR = 5, ADD_FACTORS = 8, ADD_LEFT_SHIFT = 14, INPUT_ZERO = 15, INPUT_LOW = 16, INPUT_HIGH = 17,
       RATIO_BITS = 19, DRY_SHIFT = 20, SCALES = 21, FORMAT_FACTORS = 9, CELL_INTEGER_BITS = 18, LARGEST_CODE = 1 << 22 };

static int are_settings_right(const pedal_blob *blob)
{
    const void *settings = blob->settings;
    for (size_t at = INPUT_ZERO; at <= INPUT_HIGH; at++)
        if (word(settings, at) < -LARGEST_CODE || word(settings, at) > LARGEST_CODE)
            return 0;
    return are_factors_right(settings, HEAD_FACTOR, 1) && are_factors_right(settings, FINE_FACTOR, 1) &&
           are_factors_right(settings, ADD_FACTORS, 3) && is_within((uint32_t)word(settings, ADD_LEFT_SHIFT), 0, 24) &&
           is_within((uint32_t)word(settings, RATIO_BITS), 0, 15) && is_within((uint32_t)word(settings, DRY_SHIFT), 0, 62) &&
           are_finite((const uint8_t *)settings + 4 * SCALES, 8);
}

static int is_w8a8_right(const pedal_blob *blob)
{
    if (!blob->begins || !are_settings_right(blob) || !is_map_right(blob->constants + INPUT_MAP, blob->samples))
        return 0;
    for (int index = 0; index < blob->layers; index++) {
        const void *format = blob->layer[index].format;
        const uint32_t bits = (uint32_t)word(format, CELL_INTEGER_BITS);
        if (!are_factors_right(format, 0, FORMAT_FACTORS) || bits > 15 ||
            (bits < PEDAL_BLOB_FINE_CELLS && !blob->lines[bits]) || !are_cells_within(blob, index, INT32_C(1) << 15))
            return 0;
    }
    return blob->samples == PEDAL_LINK_SAMPLES_INT16 || are_finite(blob->constants + OUTPUT_MAP, 8);
}

static int is_fitting(const pedal_blob *blob, const pedal_capacity *capacity)
{
    return blob->arithmetic < 32 && (capacity->arithmetics >> blob->arithmetic & 1u) && blob->hidden <= capacity->hidden &&
           blob->layers <= capacity->layers && blob->samples == capacity->samples &&
           (capacity->sample_rate_hz == 0 || blob->sample_rate_hz == capacity->sample_rate_hz);
}

/* Header fields, as they stand there. */
static void read_header(pedal_blob *blob, const uint8_t *bytes)
{
    memset(blob, 0, sizeof *blob);
    blob->arithmetic = bytes[ARITHMETIC];
    blob->samples = bytes[SAMPLES];
    blob->layers = bytes[LAYERS];
    blob->skip = (bytes[FLAGS] & SKIP) != 0;
    blob->begins = (bytes[FLAGS] & BEGINS) != 0;
    blob->hidden = pedal_get_16(bytes + HIDDEN);
    blob->padded = (uint16_t)((blob->hidden + 3) & ~3);
    blob->sample_rate_hz = pedal_get_32(bytes + RATE);
    blob->bytes = pedal_get_32(bytes + BYTES);
    blob->crc = pedal_get_32(bytes + CRC);
    blob->digest = bytes + DIGEST;
    blob->name = bytes + NAME;
    blob->constants = bytes + PEDAL_BLOB_HEADER_BYTES;
}

static int are_tables_right(const pedal_blob *blob)
{
    switch (blob->arithmetic) {
    case PEDAL_LINK_ARITHMETIC_FLOAT:
    case PEDAL_LINK_ARITHMETIC_GRU:
        return are_finite(blob->constants, blob->bytes - PEDAL_BLOB_HEADER_BYTES);
    case PEDAL_LINK_ARITHMETIC_W8A16:
        return is_w8a16_right(blob);
    default:
        return is_w8a8_right(blob);
    }
}

int pedal_blob_read(pedal_blob *blob, const uint8_t *bytes, size_t room, const pedal_capacity *capacity)
{
    const size_t head = PEDAL_BLOB_HEADER_BYTES + PEDAL_BLOB_CONSTANT_BYTES;
    if (room < head || memcmp(bytes + MAGIC, magic, sizeof magic) != 0 ||
        pedal_get_16(bytes + FORMAT) != PEDAL_BLOB_FORMAT)
        return PEDAL_LINK_FAULT_BLOB;
    read_header(blob, bytes);
    if (blob->bytes < head || blob->bytes > room)
        return PEDAL_LINK_FAULT_BLOB;
    if (pedal_crc32(0, bytes + RATE, blob->bytes - RATE) != blob->crc)
        return PEDAL_LINK_FAULT_CRC;
    if (!is_within(blob->layers, 1, PEDAL_BLOB_LAYERS) || !is_within(blob->hidden, 1, LARGEST_SIZE) ||
        bytes[FLAGS] > ALL_FLAGS)
        return PEDAL_LINK_FAULT_BLOB;
    if (!is_fitting(blob, capacity))
        return PEDAL_LINK_FAULT_CAPACITY;
    cutter from = {bytes, head};
    switch (blob->arithmetic) {
    case PEDAL_LINK_ARITHMETIC_FLOAT:
    case PEDAL_LINK_ARITHMETIC_GRU:
        cut_float(blob, &from);
        break;
    case PEDAL_LINK_ARITHMETIC_W8A16:
        cut_w8a16(blob, &from);
        break;
    case PEDAL_LINK_ARITHMETIC_W8A8:
    case PEDAL_LINK_ARITHMETIC_W8A8_PAIR:
        cut_w8a8(blob, &from, blob->arithmetic == PEDAL_LINK_ARITHMETIC_W8A8 ? 1 : 2);
        break;
    default:
        return PEDAL_LINK_FAULT_CAPACITY;
    }
    /* Every table lies inside: their sizes add up to the blob's. Only now may they be looked at. */
    if (from.offset != blob->bytes)
        return PEDAL_LINK_FAULT_BLOB;
    return are_tables_right(blob) ? 0 : PEDAL_LINK_FAULT_BLOB;
}

int pedal_blob_begins(const uint8_t *bytes, uint32_t size, uint32_t crc)
{
    return memcmp(bytes + MAGIC, magic, sizeof magic) == 0 && pedal_get_32(bytes + BYTES) == size &&
           pedal_get_32(bytes + CRC) == crc;
}
