/* Products and sums that Armv7E-M and Armv8-M with DSP have instructions for (sums: AVX2 and NEON as well), with portable C
 * of the same bits.
 *
 * PEDAL_PORTABLE forces the portable ones. Right shifts of negative numbers must be arithmetic, as they are in every
 * compiler for the targets; pedal_arithmetic_shift below fails to compile where they are not.
 */
#ifndef PEDAL_DSP_H
#define PEDAL_DSP_H

#include <stdint.h>

#if defined(__ARM_FEATURE_DSP) && defined(__GNUC__) && !defined(PEDAL_PORTABLE)
#define PEDAL_DSP 1
#include <arm_acle.h>
#else
#define PEDAL_DSP 0
#endif

/* Sums alone have vectors where there are some. */
#if defined(__AVX2__) && !defined(PEDAL_PORTABLE)
#define PEDAL_SUMS_AVX2 1
#include <immintrin.h>
#include <string.h>
#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__AARCH64EL__) && !defined(PEDAL_PORTABLE)
#define PEDAL_SUMS_NEON 1
#include <arm_neon.h>
#endif

/* Kernels are written once and made for their sizes by inlining. */
#if defined(__GNUC__)
#define PEDAL_INLINE static inline __attribute__((always_inline))
#else
#define PEDAL_INLINE static inline
#endif

/* Before a loop whose counting costs as much as its work. */
#if defined(__GNUC__) && !defined(__clang__)
#define PEDAL_UNROLL _Pragma("GCC unroll 8")
#else
#define PEDAL_UNROLL
#endif

typedef char pedal_arithmetic_shift[(-3 >> 1) == -2 ? 1 : -1];

#if PEDAL_DSP
/* Two int16 in a word, in the processor's order; it may alias arrays of int16. */
typedef int16x2_t __attribute__((may_alias)) pedal_pair;
/* Two pairs, which LDRD loads at once. */
typedef struct {
    pedal_pair first, second;
} pedal_pairs;

PEDAL_INLINE pedal_pairs pedal_load_pairs(const int16_t *values)
{
    /* Compilers take a 64-bit load apart. "Uv": an address whose offset LDRD can hold. Which pair comes first does not
     * matter: weights and states are loaded alike. */
    typedef uint64_t __attribute__((may_alias, aligned(4))) word;
    pedal_pairs pairs;
    __asm__("ldrd %0, %1, %2" : "=r"(pairs.first), "=r"(pairs.second) : "Uv"(*(const word *)(const void *)values));
    return pairs;
}
#endif

PEDAL_INLINE int32_t pedal_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* The nearest integer of so many bits with sign; bits is 1 to 31, best a constant. */
PEDAL_INLINE int32_t pedal_saturate(int32_t value, int bits)
{
#if PEDAL_DSP && defined(__OPTIMIZE__) && !defined(__clang__)
    /* clang makes SSAT of the lines below by itself, and wants a literal here. */
    if (__builtin_constant_p(bits)) {
        int32_t saturated;
        __asm__("ssat %0, %1, %2" : "=r"(saturated) : "I"(bits), "r"(value));
        return saturated;
    }
#endif
    const int32_t limit = INT32_C(1) << (bits - 1);
    return pedal_clamp(value, -limit, limit - 1);
}

PEDAL_INLINE int32_t pedal_saturate_16(int32_t value)
{
    return pedal_saturate(value, 16);
}

/* floor(a * b / 2^16); b has 16 bits. */
PEDAL_INLINE int32_t pedal_multiply_wide(int32_t a, int32_t b)
{
#if PEDAL_DSP
    /* Not in every compiler's arm_acle.h. */
    int32_t product;
    __asm__("smulwb %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
#elif UINTPTR_MAX > 0xFFFFFFFFu
    return (int32_t)(((int64_t)a * b) >> 16);
#else
    /* Two products of 32 bits: a has a high half with a sign and a low half without. */
    return (a >> 16) * b + (((a & 65535) * b) >> 16);
#endif
}

/* sum + floor(a * b / 2^16); b has 16 bits. */
PEDAL_INLINE int32_t pedal_multiply_wide_add(int32_t a, int32_t b, int32_t sum)
{
#if PEDAL_DSP
    return __smlawb(a, b, sum);
#else
    return sum + pedal_multiply_wide(a, b);
#endif
}

/* floor((a * b + 2^31) / 2^32): SMMULR. */
PEDAL_INLINE int32_t pedal_multiply_high_rounded(int32_t a, int32_t b)
{
#if PEDAL_DSP
    int32_t product;
    __asm__("smmulr %0, %1, %2" : "=r"(product) : "r"(a), "r"(b));
    return product;
#else
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
#endif
}

/* Sums of one unit's four gates: input, forget, candidate, output. */
typedef struct {
    int32_t input, forget, candidate, output;
} pedal_gates;

#if PEDAL_DSP
/* Of four states: weights and states as below. */
PEDAL_INLINE pedal_gates pedal_sum_four(const int16_t *weights, const int16_t *states, pedal_gates sums)
{
    const pedal_pairs s = pedal_load_pairs(states);
    pedal_pairs w = pedal_load_pairs(weights);
    sums.input = __smlad(w.first, s.first, sums.input);
    sums.input = __smlad(w.second, s.second, sums.input);
    w = pedal_load_pairs(weights + 4);
    sums.forget = __smlad(w.first, s.first, sums.forget);
    sums.forget = __smlad(w.second, s.second, sums.forget);
    w = pedal_load_pairs(weights + 8);
    sums.candidate = __smlad(w.first, s.first, sums.candidate);
    sums.candidate = __smlad(w.second, s.second, sums.candidate);
    w = pedal_load_pairs(weights + 12);
    sums.output = __smlad(w.first, s.first, sums.output);
    sums.output = __smlad(w.second, s.second, sums.output);
    return sums;
}
#endif

/* The gates' sums of weight times state, added to sums.
 *
 * weights: for every four states, four weights of each gate; states: count of them, a multiple of four. Both lie at
 * multiples of four bytes.
 */
PEDAL_INLINE pedal_gates pedal_sum_gates(const int16_t *weights, const int16_t *states, int count, pedal_gates sums)
{
#if PEDAL_DSP
#if defined(PEDAL_PLAYER)
    /* A loop that does not know its end costs a third of what it does: two steps each time. */
    const int16_t *end = states + count;
    if (count & 4) {
        sums = pedal_sum_four(weights, states, sums);
        weights += 16;
        states += 4;
    }
    for (; states != end; states += 8, weights += 32) {
        sums = pedal_sum_four(weights, states, sums);
        sums = pedal_sum_four(weights + 16, states + 4, sums);
    }
#else
    for (int k = 0; k < count; k += 4, weights += 16)
        sums = pedal_sum_four(weights, states + k, sums);
#endif
#elif PEDAL_SUMS_AVX2
    /* Every gate has two lanes, of two states each. */
    __m256i total = _mm256_setzero_si256();
    for (int k = 0; k < count; k += 4, weights += 16) {
        long long four;
        memcpy(&four, states + k, sizeof four);
        const __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)weights);
        total = _mm256_add_epi32(total, _mm256_madd_epi16(w, _mm256_set1_epi64x(four)));
    }
    total = _mm256_add_epi32(total, _mm256_shuffle_epi32(total, 0xB1));
    sums.input += _mm256_extract_epi32(total, 0);
    sums.forget += _mm256_extract_epi32(total, 2);
    sums.candidate += _mm256_extract_epi32(total, 4);
    sums.output += _mm256_extract_epi32(total, 6);
#elif PEDAL_SUMS_NEON
    int32x4_t input = vdupq_n_s32(0), forget = input, candidate = input, output = input;
    for (int k = 0; k < count; k += 4, weights += 16) {
        const int16x4_t state = vld1_s16(states + k);
        input = vmlal_s16(input, vld1_s16(weights), state);
        forget = vmlal_s16(forget, vld1_s16(weights + 4), state);
        candidate = vmlal_s16(candidate, vld1_s16(weights + 8), state);
        output = vmlal_s16(output, vld1_s16(weights + 12), state);
    }
    sums.input += vaddvq_s32(input);
    sums.forget += vaddvq_s32(forget);
    sums.candidate += vaddvq_s32(candidate);
    sums.output += vaddvq_s32(output);
#else
    for (int k = 0; k < count; k += 4, weights += 16)
        for (int n = 0; n < 4; n++) {
            const int32_t state = states[k + n];
            sums.input += weights[n] * state;
            sums.forget += weights[4 + n] * state;
            sums.candidate += weights[8 + n] * state;
            sums.output += weights[12 + n] * state;
        }
#endif
    return sums;
}

/* The sum of weight times state of a single row. Arguments as above. */
PEDAL_INLINE int32_t pedal_sum_row(const int16_t *weights, const int16_t *states, int count)
{
    int32_t sum = 0;
#if PEDAL_DSP
    for (int k = 0; k < count; k += 4) {
        const pedal_pairs w = pedal_load_pairs(weights + k), s = pedal_load_pairs(states + k);
        sum = __smlad(w.first, s.first, sum);
        sum = __smlad(w.second, s.second, sum);
    }
#else
    for (int k = 0; k < count; k++)
        sum += weights[k] * states[k];
#endif
    return sum;
}

#endif
