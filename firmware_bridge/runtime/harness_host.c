/* Plays a file of samples through the pedal: harness IN OUT [BLOCK ...]
 *
 * IN and OUT are bare samples of type pedal_sample, little-endian. Blocks are of the lengths given, in turn and again
 * from the first when all were used; of 64 samples if none is given. On any failure: a message and exit code 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pedal.h"

#define LARGEST_BLOCK 4096

static pedal_state pedal;

/* Between the file's byte order and the machine's: nothing to do where they are the same. */
static void swap_bytes(pedal_sample *samples, size_t count)
{
    const uint16_t probe = 1;
    unsigned char first;
    memcpy(&first, &probe, 1);
    if (first == 1)
        return;
    unsigned char *bytes = (unsigned char *)samples;
    for (size_t t = 0; t < count; t++, bytes += sizeof *samples)
        for (size_t low = 0, high = sizeof *samples - 1; low < high; low++, high--) {
            const unsigned char byte = bytes[low];
            bytes[low] = bytes[high];
            bytes[high] = byte;
        }
}

int main(int argc, char **argv)
{
    static pedal_sample block[LARGEST_BLOCK];
    if (argc < 3) {
        fprintf(stderr, "usage: %s IN OUT [BLOCK ...]\n", argv[0]);
        return 1;
    }
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    if (!in || !out) {
        fprintf(stderr, "%s or %s: cannot be opened\n", argv[1], argv[2]);
        return 1;
    }
    pedal_init(&pedal);
    size_t got;
    int turn = 0;
    do {
        const int length = argc > 3 ? atoi(argv[3 + turn++ % (argc - 3)]) : 64;
        if (length < 1 || length > LARGEST_BLOCK) {
            fprintf(stderr, "blocks of 1 to %d samples\n", LARGEST_BLOCK);
            return 1;
        }
        got = fread(block, sizeof *block, (size_t)length, in);
        swap_bytes(block, got);
        pedal_process(&pedal, block, block, got);
        swap_bytes(block, got);
        if (fwrite(block, sizeof *block, got, out) != got) {
            fprintf(stderr, "%s: cannot be written\n", argv[2]);
            return 1;
        }
    } while (got > 0);
    return fclose(out) == 0 && fclose(in) == 0 ? 0 : 1;
}
