/* Plays golden vectors on the target, compares every sample there, and prints what it found as one line of JSON.
 *
 * Command line: NAME INPUT WANTED, two host files of raw samples, little endian. They are read a piece at a time: no
 * memory of the target limits how long they are. Each pass plays all of it, after a reset, in blocks of another size;
 * the last one in blocks of changing size, in place. Exit code: 0 played and compared (the host judges the difference), 2 a file
 * that cannot be read, 3 a fault. */

#include <string.h>

#include "pedal.h"
#include "harness_report.h"
#include "harness_semihosting.h"
#include "harness_stack.h"
#include "harness_ticks.h"

enum { LONGEST_BLOCK = 64, PIECE = 256, GUARDS = 4, LINE = 2048, EMPTY_CALLS = 1024, PAINT = 0x5A };

/* Of a block whose size changes. */
#define PEDAL_CHANGING 0u

#define PEDAL_GUARD 0xA5A5F00Du
#define PEDAL_SAMPLE_IS_FLOAT ((pedal_sample)0.5f > (pedal_sample)0)

typedef struct {
    uint64_t ticks;
    uint32_t calls, counted_samples, samples, differing_samples, largest_difference, digest, stack_bytes;
    int guards_kept;
} pass_result;

static struct {
    uint32_t before[GUARDS];
    pedal_state state;
    uint32_t after[GUARDS];
} guarded;

static pedal_sample dry[PIECE], wanted[PIECE], wet[PIECE + GUARDS];
static int counted;

/* What EMPTY_CALLS calls of a function that does nothing take. */
static uint64_t empty_ticks;

__attribute__((noinline)) static void process_nothing(pedal_state *state, const pedal_sample *in, pedal_sample *out,
                                                      size_t n)
{
    __asm__ volatile("" : : "r"(state), "r"(in), "r"(out), "r"(n) : "memory");
}

/* Through a pointer that the compiler cannot see through, so that both functions are called alike. */
typedef void (*process_function)(pedal_state *, const pedal_sample *, pedal_sample *, size_t);

__attribute__((noinline)) static uint64_t ticks_of(process_function process, const pedal_sample *in, pedal_sample *out,
                                                   size_t n)
{
    const uint64_t start = pedal_ticks();
    process(&guarded.state, in, out, n);
    return pedal_ticks() - start;
}

/* Bytes of stack that a call takes; without interrupts, whose frames would lie on it. */
__attribute__((noinline)) static uint32_t stack_of(process_function process, const pedal_sample *in, pedal_sample *out,
                                                   size_t n)
{
    __asm__ volatile("cpsid i" ::: "memory");
    pedal_paint_stack();
    process(&guarded.state, in, out, n);
    const uint32_t bytes = pedal_stack_bytes(pedal_stack_pointer());
    __asm__ volatile("cpsie i" ::: "memory");
    return bytes;
}

/* A difference in millionths of a step of 16 bits, which is 1/32768 for floats; UINT32_MAX when larger or no number. */
static uint32_t difference(pedal_sample found, pedal_sample expected)
{
    if (PEDAL_SAMPLE_IS_FLOAT) {
        const float apart = (float)found - (float)expected;
        const float steps = (apart < 0.0f ? -apart : apart) * (32768.0f * 1e6f);
        return steps < 4294967040.0f ? (uint32_t)steps : UINT32_MAX;
    }
    const int32_t apart = (int32_t)found - (int32_t)expected;
    const uint32_t steps = (uint32_t)(apart < 0 ? -apart : apart);
    return steps > 4294u ? UINT32_MAX : steps * 1000000u;
}

static void compare(pass_result *result, size_t n)
{
    for (size_t i = 0; i < n; ++i) {
        const uint32_t steps = difference(wet[i], wanted[i]);
        result->differing_samples += steps != 0 || wet[i] != wanted[i];
        result->largest_difference = steps > result->largest_difference ? steps : result->largest_difference;
    }
    const unsigned char *bytes = (const unsigned char *)wet;
    for (size_t i = 0; i < n * sizeof(pedal_sample); ++i) {
        result->digest = (result->digest ^ bytes[i]) * 16777619u;
    }
}

static void set_guards(void)
{
    for (int i = 0; i < GUARDS; ++i) {
        guarded.before[i] = PEDAL_GUARD;
        guarded.after[i] = PEDAL_GUARD;
    }
}

static int guards_kept(void)
{
    for (int i = 0; i < GUARDS; ++i) {
        if (guarded.before[i] != PEDAL_GUARD || guarded.after[i] != PEDAL_GUARD) {
            return 0;
        }
    }
    return 1;
}

static void count(pass_result *result, const pedal_sample *in, pedal_sample *out, size_t n)
{
    result->ticks += ticks_of(pedal_process, in, out, n);
    result->calls += 1;
    result->counted_samples += (uint32_t)n;
}

static void measure_stack(pass_result *result, const pedal_sample *in, pedal_sample *out, size_t n)
{
    const uint32_t bytes = stack_of(pedal_process, in, out, n);
    result->stack_bytes = bytes > result->stack_bytes ? bytes : result->stack_bytes;
}

/* A block; what lies behind it must stay as it is. The first piece measures the stack: painting it takes longer than
 * many a block. */
static void process_block(pass_result *result, const pedal_sample *in, pedal_sample *out, size_t n, int in_place)
{
    const pedal_sample *source = in_place ? memcpy(out, in, n * sizeof(pedal_sample)) : in;
    memset(out + n, PAINT, GUARDS * sizeof(pedal_sample));
    if (result->samples < PIECE) {
        measure_stack(result, source, out, n);
    } else {
        count(result, source, out, n);
    }
    result->samples += (uint32_t)n;
    const unsigned char *behind = (const unsigned char *)(out + n);
    for (size_t i = 0; i < GUARDS * sizeof(pedal_sample); ++i) {
        result->guards_kept &= behind[i] == PAINT;
    }
}

static size_t next_size(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return 1u + ((*random >> 16) % LONGEST_BLOCK);
}

static pass_result play(int input, int expected, uint32_t block)
{
    pass_result result = {.digest = 2166136261u, .guards_kept = 1};
    uint32_t random = 1;
    size_t got;
    pedal_reset(&guarded.state);
    while ((got = pedal_read(input, dry, sizeof dry) / sizeof(pedal_sample)) > 0) {
        pedal_read(expected, wanted, got * sizeof(pedal_sample));
        for (size_t from = 0; from < got;) {
            const size_t size = block != PEDAL_CHANGING ? block : next_size(&random);
            const size_t n = size < got - from ? size : got - from;
            process_block(&result, dry + from, wet + from, n, block == PEDAL_CHANGING);
            from += n;
        }
        compare(&result, got);
    }
    result.guards_kept &= guards_kept();
    return result;
}

static void report(const pass_result *result, uint32_t block)
{
    pedal_report_text("{\"block\": ");
    pedal_report_number(block);
    pedal_report_text(", \"samples\": ");
    pedal_report_number(result->samples);
    pedal_report_text(", \"differing_samples\": ");
    pedal_report_number(result->differing_samples);
    pedal_report_text(", \"difference_lsb_millionths\": ");
    pedal_report_number(result->largest_difference);
    pedal_report_text(", \"digest\": ");
    pedal_report_number(result->digest);
    pedal_report_text(", \"stack_bytes\": ");
    pedal_report_number(result->stack_bytes);
    pedal_report_text(result->guards_kept ? ", \"guards_kept\": true" : ", \"guards_kept\": false");
    pedal_report_text(", \"instructions_per_sample\": ");
    if (counted && result->counted_samples != 0) {
        const uint64_t ticks = result->ticks - result->calls * empty_ticks / EMPTY_CALLS;
        pedal_report_thousandths(pedal_milli_instructions(ticks) / result->counted_samples);
    } else {
        pedal_report_text("null");
    }
    pedal_report_text("}");
}

/* The words of the command line, cut apart in place; how many there are. */
static int split(char *line, char **words, int most)
{
    int count = 0;
    for (char *at = line; *at != '\0' && count < most;) {
        words[count++] = at;
        while (*at != '\0' && *at != ' ') {
            ++at;
        }
        while (*at == ' ') {
            *at++ = '\0';
        }
    }
    return count;
}

static int play_pass(char **words, uint32_t block)
{
    const int input = pedal_open(words[1]), expected = pedal_open(words[2]);
    if (input < 0 || expected < 0) {
        return 0;
    }
    const pass_result result = play(input, expected, block);
    pedal_close(input);
    pedal_close(expected);
    report(&result, block);
    return 1;
}

int main(void)
{
    static const uint32_t blocks[] = {1, 16, 48, 64, PEDAL_CHANGING};
    static char line[LINE];
    char *words[3];
    if (!pedal_command_line(line, sizeof line) || split(line, words, 3) != 3) {
        pedal_print("{\"error\": \"wanted: NAME INPUT WANTED\"}\n");
        return 2;
    }
    counted = pedal_start_ticks();
    for (int i = 0; i < EMPTY_CALLS; ++i) {
        empty_ticks += ticks_of(process_nothing, dry, wet, 0);
    }
    set_guards();
    pedal_init(&guarded.state);
    pedal_report_text("{\"state_bytes\": ");
    pedal_report_number(sizeof(pedal_state));
    pedal_report_text(", \"passes\": [");
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; ++i) {
        pedal_report_text(i ? ", " : "");
        if (!play_pass(words, blocks[i])) {
            pedal_print("{\"error\": \"a golden vector cannot be opened\"}]}\n");
            return 2;
        }
    }
    pedal_print("]}\n");
    return 0;
}
