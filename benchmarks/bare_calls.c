/* Calls pedal_process as often as a benchmark's loop in Python does, without Python. */
#define _POSIX_C_SOURCE 199309L
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef void (*process_function)(void *state, const float *in, float *out, size_t n);

/* Nanoseconds of so many calls; in: rows blocks, played in turn; out: one block. */
int64_t bare_calls(process_function process, void *state, const float *in, float *out, size_t block, size_t rows,
                   size_t calls)
{
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (size_t call = 0; call < calls; call++)
        process(state, in + call % rows * block, out, block);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    return (int64_t)(ended.tv_sec - begun.tv_sec) * 1000000000 + (ended.tv_nsec - begun.tv_nsec);
}
