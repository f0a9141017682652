/* Sixteen streams side by side, and the functions that a recurrent cell is made of.
 *
 * A value of sixteen streams ("lanes" in a shape: [16] floats, innermost) is two vectors of eight, so that each weight
 * that is read serves sixteen samples and no vector is summed across its lanes inside the loop over time.
 * Plain GCC/Clang vector extensions: the compiler turns them into AVX2, NEON or scalars.
 */
#ifndef PEDAL_VECTOR_H
#define PEDAL_VECTOR_H

#include <stddef.h>
#include <stdint.h>

enum { LANES = 16, HALF = 8 };

typedef float vec __attribute__((vector_size(32), aligned(32)));
typedef int32_t ivec __attribute__((vector_size(32), aligned(32)));
typedef struct { vec a, b; } lanes;

/* Storage that vectors are loaded from. */
#define PEDAL_ALIGNED __attribute__((aligned(32)))
/* What is called with constant counts must be inlined, so that its loops unroll and its sums stay in registers. */
#define PEDAL_INLINE static inline __attribute__((always_inline))
/* What must stay a function of its own: constants of the exponential would take the registers of the sums. */
#define PEDAL_APART __attribute__((noinline))

/* Says that a vector is changed, so that GCC holds what was loaded in a register instead of loading it again for every
 * product: loads, not products, would set the pace. Anywhere else it says nothing. */
PEDAL_INLINE void hold(vec *v) {
#if defined(__AVX__)
    __asm__("" : "+x"(*v));
#else
    (void)v;
#endif
}

PEDAL_INLINE lanes load(const float *p) {
    lanes v = { *(const vec *)p, *(const vec *)(p + HALF) };
    hold(&v.a);
    hold(&v.b);
    return v;
}

PEDAL_INLINE void store(float *p, lanes v) { *(vec *)p = v.a; *(vec *)(p + HALF) = v.b; }
PEDAL_INLINE lanes spread(float x) { return (lanes){ (vec){ 0 } + x, (vec){ 0 } + x }; }

/* sum + w . v */
PEDAL_INLINE lanes add_scaled(lanes sum, float w, lanes v) {
    sum.a += w * v.a;
    sum.b += w * v.b;
    return sum;
}

PEDAL_INLINE lanes product(lanes x, lanes y) { return (lanes){ x.a * y.a, x.b * y.b }; }

/* x . y + z . w */
PEDAL_INLINE lanes product_sum(lanes x, lanes y, lanes z, lanes w) {
    return (lanes){ x.a * y.a + z.a * w.a, x.b * y.b + z.b * w.b };
}

/* sum + x . y */
PEDAL_INLINE lanes add_product(lanes sum, lanes x, lanes y) { return (lanes){ sum.a + x.a * y.a, sum.b + x.b * y.b }; }

/* y + share . (x - y): x where share is 1, y where it is 0. */
PEDAL_INLINE lanes mixture(lanes share, lanes x, lanes y) {
    return (lanes){ y.a + share.a * (x.a - y.a), y.b + share.b * (x.b - y.b) };
}

PEDAL_INLINE float lane_sum(vec v) {
    float total = 0.0f;
    for (int n = 0; n < HALF; n++) total += v[n];
    return total;
}

/* x within low .. high; what is not a number stays so. */
PEDAL_INLINE vec within(vec x, vec low, vec high) {
#if defined(__AVX__)
    return __builtin_ia32_maxps256(low, __builtin_ia32_minps256(high, x));
#else
    ivec above = x > high, below = x < low;
    x = (vec)((above & (ivec)high) | (~above & (ivec)x));
    return (vec)((below & (ivec)low) | (~below & (ivec)x));
#endif
}

PEDAL_INLINE vec clamp(vec x, vec limit) { return within(x, -limit, limit); }

/* The nearest multiple of step from low . step to high . step (whole numbers below 2^22). */
PEDAL_INLINE vec snap(vec x, float step, float low, float high) {
    const float magic = 12582912.0f; /* as below */
    vec steps = within(x * (1.0f / step), (vec){ 0 } + low, (vec){ 0 } + high) + magic;
    return (steps - magic) * step;
}

PEDAL_INLINE lanes snap_lanes(lanes x, float step, float low, float high) {
    return (lanes){ snap(x.a, step, low, high), snap(x.b, step, low, high) };
}

/* e^x, relative error below 3e-7 where the result is a normal float; clamped to |x| <= 80. */
PEDAL_INLINE vec exponential(vec x) {
    x = clamp(x, (vec){ 0 } + 80.0f);
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    vec shifted = x * 1.44269504f + magic;
    vec whole = shifted - magic;
    /* ln 2 in two parts, so that the remainder is exact enough */
    vec rest = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    vec p = rest * 1.9875691e-4f + 1.3981999e-3f;
    p = p * rest + 8.3334519e-3f;
    p = p * rest + 4.1665796e-2f;
    p = p * rest + 1.6666665e-1f;
    p = p * rest + 5.0000000e-1f;
    p = p * rest * rest + rest + 1.0f;
    ivec power = ((ivec)shifted << 23) + 0x3f800000;
    return p * (vec)power;
}

PEDAL_INLINE lanes logistic(lanes x) {
    return (lanes){ 1.0f / (1.0f + exponential(-x.a)), 1.0f / (1.0f + exponential(-x.b)) };
}

PEDAL_INLINE lanes tangent(lanes x) {
    return (lanes){ 1.0f - 2.0f / (1.0f + exponential(2.0f * x.a)), 1.0f - 2.0f / (1.0f + exponential(2.0f * x.b)) };
}

#endif
