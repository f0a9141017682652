/* What the integer kernel for vectors needs besides pedal_lanes.h: products wider than a lane, and a table.
 *
 * Each is exact, so that all processors have the same bits: of a wide product, what is kept is kept by a floor.
 */
#ifndef PEDAL_INTEGER_LANES_H
#define PEDAL_INTEGER_LANES_H

#include "pedal_lanes.h"

/* The same in memory, wherever it lies. */
typedef int32_t pedal_ints_at __attribute__((vector_size(4 * PEDAL_LANES), may_alias, aligned(4)));

PEDAL_INLINE pedal_ints pedal_load_ints(const int32_t *values)
{
    return *(const pedal_ints_at *)values;
}

PEDAL_INLINE pedal_ints pedal_splat_int(int32_t value)
{
    return (pedal_ints){0} + value;
}

/* The nearest integers of so many bits with sign; bits is a constant, 1 to 31. */
PEDAL_INLINE pedal_ints pedal_saturate_lanes(pedal_ints x, int bits)
{
    const pedal_ints high = pedal_splat_int((INT32_C(1) << (bits - 1)) - 1), low = ~high;
#if PEDAL_AVX512
    return (pedal_ints)_mm512_min_epi32(_mm512_max_epi32((__m512i)x, (__m512i)low), (__m512i)high);
#elif PEDAL_AVX2
    return (pedal_ints)_mm256_min_epi32(_mm256_max_epi32((__m256i)x, (__m256i)low), (__m256i)high);
#elif PEDAL_NEON
    return (pedal_ints)vminq_s32(vmaxq_s32((int32x4_t)x, (int32x4_t)low), (int32x4_t)high);
#else
    const pedal_ints above = x > low;
    x = (x & above) | (low & ~above);
    const pedal_ints below = x < high;
    return (x & below) | (high & ~below);
#endif
}

/* floor(a * b / 2^16); b is 0 to 32767. */
PEDAL_INLINE pedal_ints pedal_multiply_wide_lanes(pedal_ints a, pedal_ints b)
{
    /* The high half of a has a sign, the low one has none. Of b there is a low half only. */
#if PEDAL_AVX512
    const __m512i high = _mm512_madd_epi16(_mm512_srai_epi32((__m512i)a, 16), (__m512i)b);
    return (pedal_ints)_mm512_add_epi32(high, _mm512_mulhi_epu16((__m512i)a, (__m512i)b));
#elif PEDAL_AVX2
    const __m256i high = _mm256_madd_epi16(_mm256_srai_epi32((__m256i)a, 16), (__m256i)b);
    return (pedal_ints)_mm256_add_epi32(high, _mm256_mulhi_epu16((__m256i)a, (__m256i)b));
#elif PEDAL_NEON
    /* The high half of twice the product. */
    return (pedal_ints)vqdmulhq_s32((int32x4_t)a, vshlq_n_s32((int32x4_t)b, 15));
#else
    for (int lane = 0; lane < PEDAL_LANES; lane++)
        a[lane] = pedal_multiply_wide(a[lane], b[lane]);
    return a;
#endif
}

/* floor(a * x / 2^16); x has 16 bits with sign. */
PEDAL_INLINE pedal_ints pedal_multiply_sample_lanes(pedal_ints a, int32_t x)
{
#if PEDAL_AVX512 || PEDAL_AVX2
    /* As above, but without a sign x is too large by 2^16 where it is negative, and the low product by a's low half. */
    const pedal_ints high_and_low = pedal_multiply_wide_lanes(a, pedal_splat_int(x & 65535));
    return high_and_low - (a & pedal_splat_int(x < 0 ? 65535 : 0));
#elif PEDAL_NEON
    return (pedal_ints)vqdmulhq_n_s32((int32x4_t)a, x * 32768);
#else
    for (int lane = 0; lane < PEDAL_LANES; lane++)
        a[lane] = pedal_multiply_wide(a[lane], x);
    return a;
#endif
}

/* floor(a * b / 2^32). */
PEDAL_INLINE pedal_ints pedal_multiply_high_lanes(pedal_ints a, pedal_ints b)
{
    /* Products of even lanes, and of odd ones, whose high half lies where it belongs. */
#if PEDAL_AVX512
    const __m512i even = _mm512_mul_epi32((__m512i)a, (__m512i)b);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64((__m512i)a, 32), _mm512_srli_epi64((__m512i)b, 32));
    return (pedal_ints)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
#elif PEDAL_AVX2
    const __m256i even = _mm256_mul_epi32((__m256i)a, (__m256i)b);
    const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64((__m256i)a, 32), _mm256_srli_epi64((__m256i)b, 32));
    return (pedal_ints)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
#elif PEDAL_NEON
    const int64x2_t low = vmull_s32(vget_low_s32((int32x4_t)a), vget_low_s32((int32x4_t)b));
    return (pedal_ints)vshrn_high_n_s64(vshrn_n_s64(low, 32), vmull_high_s32((int32x4_t)a, (int32x4_t)b), 32);
#else
    for (int lane = 0; lane < PEDAL_LANES; lane++)
        a[lane] = (int32_t)(((int64_t)a[lane] * b[lane]) >> 32);
    return a;
#endif
}

/* floor((a * b + c * d + 2^30) / 2^31), which must fit a lane. */
PEDAL_INLINE pedal_ints pedal_mix_lanes(pedal_ints a, pedal_ints b, pedal_ints c, pedal_ints d)
{
    /* Of the even lanes' sums bits 31 to 62 go to the right, of the odd ones' to the left. */
#if PEDAL_AVX512
#define PEDAL_ODD(x) _mm512_srli_epi64((__m512i)(x), 32)
    const __m512i half = _mm512_set1_epi64(INT64_C(1) << 30);
    const __m512i even = _mm512_add_epi64(_mm512_add_epi64(_mm512_mul_epi32((__m512i)a, (__m512i)b), half),
                                          _mm512_mul_epi32((__m512i)c, (__m512i)d));
    const __m512i odd = _mm512_add_epi64(_mm512_add_epi64(_mm512_mul_epi32(PEDAL_ODD(a), PEDAL_ODD(b)), half),
                                         _mm512_mul_epi32(PEDAL_ODD(c), PEDAL_ODD(d)));
    return (pedal_ints)_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
#undef PEDAL_ODD
#elif PEDAL_AVX2
#define PEDAL_ODD(x) _mm256_srli_epi64((__m256i)(x), 32)
    const __m256i half = _mm256_set1_epi64x(INT64_C(1) << 30);
    const __m256i even = _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epi32((__m256i)a, (__m256i)b), half),
                                          _mm256_mul_epi32((__m256i)c, (__m256i)d));
    const __m256i odd = _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epi32(PEDAL_ODD(a), PEDAL_ODD(b)), half),
                                         _mm256_mul_epi32(PEDAL_ODD(c), PEDAL_ODD(d)));
    return (pedal_ints)_mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
#undef PEDAL_ODD
#elif PEDAL_NEON
    const int64x2_t low = vmlal_s32(vmull_s32(vget_low_s32((int32x4_t)a), vget_low_s32((int32x4_t)b)),
                                    vget_low_s32((int32x4_t)c), vget_low_s32((int32x4_t)d));
    const int64x2_t high = vmlal_high_s32(vmull_high_s32((int32x4_t)a, (int32x4_t)b), (int32x4_t)c, (int32x4_t)d);
    return (pedal_ints)vrshrn_high_n_s64(vrshrn_n_s64(low, 31), high, 31);
#else
    for (int lane = 0; lane < PEDAL_LANES; lane++)
        a[lane] = (int32_t)(((int64_t)a[lane] * b[lane] + (int64_t)c[lane] * d[lane] + (INT64_C(1) << 30)) >> 31);
    return a;
#endif
}

/* An entry of a table for each lane, and how much larger the next one is. */
typedef struct {
    pedal_ints entry, rise;
} pedal_found;

PEDAL_INLINE pedal_found pedal_look_up(const int32_t *table, pedal_ints place)
{
    pedal_found found;
    /* A processor's own gathering is slow on many; so places go through memory, and two entries come with each load. */
    int32_t places[PEDAL_LANES] __attribute__((aligned(4 * PEDAL_LANES)));
    memcpy(places, &place, sizeof places);
#if PEDAL_AVX2 || PEDAL_AVX512
    typedef long long pedal_two __attribute__((may_alias, aligned(4)));
#define PEDAL_TWO(lane) _mm256_set1_epi64x(*(const pedal_two *)(const void *)(table + places[lane]))
#define PEDAL_FOUR(first, second, third, fourth)                                                    \
    _mm256_blend_epi32(_mm256_blend_epi32(PEDAL_TWO(first), PEDAL_TWO(second), 0x0C),               \
                       _mm256_blend_epi32(PEDAL_TWO(third), PEDAL_TWO(fourth), 0xC0), 0xF0)
#if PEDAL_AVX2
    const __m256 outer = (__m256)PEDAL_FOUR(0, 1, 4, 5), inner = (__m256)PEDAL_FOUR(2, 3, 6, 7);
    found.entry = (pedal_ints)_mm256_shuffle_ps(outer, inner, 0x88);
    found.rise = (pedal_ints)_mm256_shuffle_ps(outer, inner, 0xDD) - found.entry;
#else
    const __m512 outer = (__m512)_mm512_inserti64x4(_mm512_castsi256_si512(PEDAL_FOUR(0, 1, 4, 5)),
                                                    PEDAL_FOUR(8, 9, 12, 13), 1);
    const __m512 inner = (__m512)_mm512_inserti64x4(_mm512_castsi256_si512(PEDAL_FOUR(2, 3, 6, 7)),
                                                    PEDAL_FOUR(10, 11, 14, 15), 1);
    found.entry = (pedal_ints)_mm512_shuffle_ps(outer, inner, 0x88);
    found.rise = (pedal_ints)_mm512_shuffle_ps(outer, inner, 0xDD) - found.entry;
#endif
#undef PEDAL_FOUR
#undef PEDAL_TWO
#elif PEDAL_NEON
    const int32x4_t low = vcombine_s32(vld1_s32(table + places[0]), vld1_s32(table + places[1]));
    const int32x4_t high = vcombine_s32(vld1_s32(table + places[2]), vld1_s32(table + places[3]));
    found.entry = (pedal_ints)vuzp1q_s32(low, high);
    found.rise = (pedal_ints)vuzp2q_s32(low, high) - found.entry;
#else
    int32_t next[PEDAL_LANES];
    for (int lane = 0; lane < PEDAL_LANES; lane++) {
        next[lane] = table[places[lane] + 1];
        places[lane] = table[places[lane]];
    }
    memcpy(&found.entry, places, sizeof places);
    memcpy(&found.rise, next, sizeof next);
    found.rise -= found.entry;
#endif
    return found;
}

#endif
