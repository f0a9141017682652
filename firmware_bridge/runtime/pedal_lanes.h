/* Vectors of PEDAL_LANES floats (4, 8 or 16), one unit of a layer in each lane.
 *
 * The compiler's vector extensions do the arithmetic; only what they cannot say is spelled out for a processor, each with
 * lines for any other of the same sense. With one lane per unit nothing is ever summed across lanes but the head.
 */
#ifndef PEDAL_LANES_H
#define PEDAL_LANES_H

#include <stdint.h>
#include <string.h>

#include "pedal.h"
#include "pedal_dsp.h"

#if PEDAL_LANES == 16 && defined(__AVX512F__) && defined(__AVX512BW__)
#define PEDAL_AVX512 1
#include <immintrin.h>
#elif PEDAL_LANES == 8 && defined(__AVX2__)
#define PEDAL_AVX2 1
#include <immintrin.h>
#elif PEDAL_LANES == 4 && defined(__aarch64__)
#define PEDAL_NEON 1
#include <arm_neon.h>
#endif
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

typedef float pedal_floats __attribute__((vector_size(4 * PEDAL_LANES), may_alias));
typedef int32_t pedal_ints __attribute__((vector_size(4 * PEDAL_LANES), may_alias));
/* The same in memory, wherever it lies. */
typedef float pedal_floats_at __attribute__((vector_size(4 * PEDAL_LANES), may_alias, aligned(4)));

PEDAL_INLINE pedal_floats pedal_load(const float *values)
{
    return *(const pedal_floats_at *)values;
}

PEDAL_INLINE void pedal_store(float *values, pedal_floats vector)
{
    *(pedal_floats_at *)values = vector;
}

PEDAL_INLINE pedal_floats pedal_splat(float value)
{
    return (pedal_floats){0.0f} + value;
}

/* Within -limit and limit; NaN becomes -limit, so that a network forgets it again. */
PEDAL_INLINE pedal_floats pedal_limit_lanes(pedal_floats x, float limit)
{
    const pedal_floats high = pedal_splat(limit), low = pedal_splat(-limit);
#if PEDAL_AVX512
    return (pedal_floats)_mm512_min_ps(_mm512_max_ps((__m512)x, (__m512)low), (__m512)high);
#elif PEDAL_AVX2
    return (pedal_floats)_mm256_min_ps(_mm256_max_ps((__m256)x, (__m256)low), (__m256)high);
#elif PEDAL_NEON
    return (pedal_floats)vminnmq_f32(vmaxnmq_f32((float32x4_t)x, (float32x4_t)low), (float32x4_t)high);
#else
    const pedal_ints above = x > low;
    x = (pedal_floats)(((pedal_ints)x & above) | ((pedal_ints)low & ~above));
    const pedal_ints below = x < high;
    return (pedal_floats)(((pedal_ints)x & below) | ((pedal_ints)high & ~below));
#endif
}

/* At most limit; NaN becomes limit. */
PEDAL_INLINE pedal_floats pedal_limit_above(pedal_floats x, float limit)
{
    const pedal_floats high = pedal_splat(limit);
#if PEDAL_AVX512
    return (pedal_floats)_mm512_min_ps((__m512)x, (__m512)high);
#elif PEDAL_AVX2
    return (pedal_floats)_mm256_min_ps((__m256)x, (__m256)high);
#elif PEDAL_NEON
    return (pedal_floats)vminnmq_f32((float32x4_t)x, (float32x4_t)high);
#else
    const pedal_ints below = x < high;
    return (pedal_floats)(((pedal_ints)x & below) | ((pedal_ints)high & ~below));
#endif
}

/* The sum of all lanes. */
PEDAL_INLINE float pedal_sum_lanes(pedal_floats x)
{
#if PEDAL_AVX512
    return _mm512_reduce_add_ps((__m512)x);
#elif PEDAL_AVX2
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
#elif PEDAL_NEON
    return vaddvq_f32((float32x4_t)x);
#else
    float sum = 0.0f;
    for (int lane = 0; lane < PEDAL_LANES; lane++)
        sum += x[lane];
    return sum;
#endif
}

/* Lane `lane` of x in every lane. */
PEDAL_INLINE pedal_floats pedal_splat_lane(pedal_floats x, int lane)
{
#if PEDAL_AVX512
    return (pedal_floats)_mm512_permutexvar_ps(_mm512_set1_epi32(lane), (__m512)x);
#elif PEDAL_AVX2
    return (pedal_floats)_mm256_permutevar8x32_ps((__m256)x, _mm256_set1_epi32(lane));
#else
    return pedal_splat(x[lane]);
#endif
}

#if PEDAL_INT16_WEIGHTS
/* Hidden states as int16 in pairs, a pair in 32 bits, somewhere in a vector: pedal_pair_of knows where. */
typedef pedal_ints pedal_pairs_of_states;

/* Integers as int16, saturated. */
PEDAL_INLINE pedal_pairs_of_states pedal_pack_whole(pedal_ints x)
{
#if PEDAL_AVX512
    return (pedal_ints)_mm512_castsi256_si512(_mm512_cvtsepi32_epi16((__m512i)x));
#elif PEDAL_AVX2
    return (pedal_ints)_mm256_packs_epi32((__m256i)x, (__m256i)x);
#elif PEDAL_NEON
    return (pedal_ints)vreinterpretq_s32_s16(vcombine_s16(vqmovn_s32((int32x4_t)x), vdup_n_s16(0)));
#else
    int16_t states[2 * PEDAL_LANES] = {0};
    for (int lane = 0; lane < PEDAL_LANES; lane++)
        states[lane] = (int16_t)pedal_saturate_16(x[lane]);
    pedal_ints packed;
    memcpy(&packed, states, sizeof packed);
    return packed;
#endif
}

/* To the nearest integers, and these as int16. */
PEDAL_INLINE pedal_pairs_of_states pedal_pack(pedal_floats x)
{
#if PEDAL_AVX512
    return pedal_pack_whole((pedal_ints)_mm512_cvtps_epi32((__m512)x));
#elif PEDAL_AVX2
    return pedal_pack_whole((pedal_ints)_mm256_cvtps_epi32((__m256)x));
#else
    /* Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the last bits. */
    return pedal_pack_whole((pedal_ints)(x + pedal_splat(12582912.0f)) - 0x4B400000);
#endif
}

/* The packed states as PEDAL_LANES int16 in memory, and back. */
PEDAL_INLINE void pedal_store_packed(int16_t *values, pedal_pairs_of_states packed)
{
#if PEDAL_AVX2
    const __m256i together = _mm256_permute4x64_epi64((__m256i)packed, 0x08);
    _mm_storeu_si128((__m128i *)(void *)values, _mm256_castsi256_si128(together));
#else
    memcpy(values, &packed, 2 * PEDAL_LANES);
#endif
}

PEDAL_INLINE pedal_pairs_of_states pedal_load_packed(const int16_t *values)
{
#if PEDAL_AVX2
    const __m128i states = _mm_loadu_si128((const __m128i *)(const void *)values);
    return (pedal_ints)_mm256_permute4x64_epi64(_mm256_castsi128_si256(states), 0x50);
#else
    pedal_ints packed = {0};
    memcpy(&packed, values, 2 * PEDAL_LANES);
    return packed;
#endif
}

/* Pair `pair` of packed states in every lane. */
PEDAL_INLINE pedal_ints pedal_splat_pair(pedal_pairs_of_states packed, int pair)
{
#if PEDAL_AVX512
    return (pedal_ints)_mm512_permutexvar_epi32(_mm512_set1_epi32(pair), (__m512i)packed);
#elif PEDAL_AVX2
    return (pedal_ints)_mm256_permutevar8x32_epi32((__m256i)packed, _mm256_set1_epi32(pair < 2 ? pair : pair + 2));
#else
    return (pedal_ints){0} + packed[pair];
#endif
}

/* Two states in memory as a pair in every lane. */
PEDAL_INLINE pedal_ints pedal_splat_pair_at(const int16_t *states)
{
    int32_t pair;
    memcpy(&pair, states, sizeof pair);
    return (pedal_ints){0} + pair;
}

/* sums + w0 * first + w1 * second of a pair, in each lane its own two weights. They lie lane by lane, but with four
 * lanes all for the first state and then all for the second. */
PEDAL_INLINE pedal_ints pedal_add_pair(pedal_ints sums, const int16_t *weights, pedal_ints pair)
{
#if PEDAL_AVX512
    return sums + (pedal_ints)_mm512_madd_epi16(_mm512_loadu_si512(weights), (__m512i)pair);
#elif PEDAL_AVX2
    const __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)weights);
    return sums + (pedal_ints)_mm256_madd_epi16(w, (__m256i)pair);
#elif PEDAL_NEON
    const int16x8_t w = vld1q_s16(weights);
    const int16x4_t s = vget_low_s16(vreinterpretq_s16_s32((int32x4_t)pair));
    const int32x4_t total = vmlal_lane_s16((int32x4_t)sums, vget_low_s16(w), s, 0);
    return (pedal_ints)vmlal_high_lane_s16(total, w, s, 1);
#else
    int16_t states[2];
    memcpy(states, &pair, sizeof states);
    for (int lane = 0; lane < PEDAL_LANES; lane++) {
        const int first = PEDAL_LANES == 4 ? lane : 2 * lane, second = PEDAL_LANES == 4 ? 4 + lane : first + 1;
        sums[lane] += weights[first] * states[0] + weights[second] * states[1];
    }
    return sums;
#endif
}

PEDAL_INLINE pedal_floats pedal_to_floats(pedal_ints x)
{
    return __builtin_convertvector(x, pedal_floats);
}
#endif

/* Numbers below 2^-126 cost hundreds of cycles and sound like nothing: while a block is played they are 0. */
PEDAL_INLINE uint64_t pedal_flush_denormals(void)
{
#if defined(__SSE__)
    const uint64_t before = _mm_getcsr();
    _mm_setcsr((unsigned)before | 0x8040u);
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (UINT64_C(1) << 24)));
    return before;
#else
    return 0;
#endif
}

PEDAL_INLINE void pedal_restore_denormals(uint64_t before)
{
#if defined(__SSE__)
    _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

#endif
