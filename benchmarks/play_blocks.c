/* Plays a block of noise again and again, for instruction counters: play_blocks BLOCKS
 *
 * What a run of more blocks takes beyond one of fewer is the pedal's, but for a few instructions per block.
 */
#include <stdlib.h>

#include "pedal.h"

#define BLOCK 64

int main(int argc, char **argv)
{
    static pedal_state pedal;
    static pedal_sample in[BLOCK], out[BLOCK];
    const int blocks = argc > 1 ? atoi(argv[1]) : 1;
    uint32_t random = 1;
    for (int t = 0; t < BLOCK; t++) {
        random = random * 1664525u + 1013904223u;
        in[t] = (pedal_sample)((float)(random >> 8) * (0.5f / 8388608.0f) - 0.5f);
    }
    pedal_init(&pedal);
    for (int block = 0; block < blocks; block++)
        pedal_process(&pedal, in, out, BLOCK);
    return 0;
}
