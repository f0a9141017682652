/* A footswitch between dry and wet: debounced, and faded so that it does not click. For every board's example.
 *
 * The network goes on playing while it is bypassed: its state then knows the last notes when it comes back.
 */
#ifndef PEDAL_BYPASS_H
#define PEDAL_BYPASS_H

#include "pedal.h"

#define PEDAL_BYPASS_FADE_MS 10
#define PEDAL_BYPASS_DEBOUNCE_MS 20

/* The share of the wet signal when it is heard alone. */
#define PEDAL_BYPASS_WET (INT32_C(1) << 15)

typedef struct {
    int32_t share;      /* of the wet signal now, 0 to PEDAL_BYPASS_WET */
    int engaged;        /* where the share is going; what an LED shows */
    int pressed;        /* the footswitch, debounced */
    int32_t unlike;     /* samples for which the footswitch has been unlike that */
} pedal_bypass;

static inline void pedal_bypass_init(pedal_bypass *bypass, int engaged)
{
    bypass->share = engaged ? PEDAL_BYPASS_WET : 0;
    bypass->engaged = engaged;
    bypass->pressed = 0;
    bypass->unlike = 0;
}

/* Tell what the footswitch does, once per n samples: true when it has just been pressed, which toggles the pedal. */
static inline int pedal_bypass_read(pedal_bypass *bypass, int closed, size_t n)
{
    if ((closed != 0) == bypass->pressed) {
        bypass->unlike = 0;
        return 0;
    }
    bypass->unlike += (int32_t)n;
    if (bypass->unlike < PEDAL_SAMPLE_RATE_HZ / 1000 * PEDAL_BYPASS_DEBOUNCE_MS)
        return 0;
    bypass->unlike = 0;
    bypass->pressed = !bypass->pressed;
    bypass->engaged ^= bypass->pressed;
    return bypass->pressed;
}

/* The sample to be heard. */
static inline pedal_sample pedal_bypass_mix(pedal_bypass *bypass, pedal_sample dry, pedal_sample wet)
{
    const int32_t step = PEDAL_BYPASS_WET / (PEDAL_SAMPLE_RATE_HZ / 1000 * PEDAL_BYPASS_FADE_MS);
    if (bypass->engaged)
        bypass->share = bypass->share < PEDAL_BYPASS_WET - step ? bypass->share + step : PEDAL_BYPASS_WET;
    else
        bypass->share = bypass->share > step ? bypass->share - step : 0;
#if PEDAL_IO_INT16
    return (pedal_sample)(dry + (((wet - dry) * bypass->share) >> 15));
#else
    const float share = (float)bypass->share * (1.0f / (float)PEDAL_BYPASS_WET);
    return dry * (1.0f - share) + wet * share;
#endif
}

/* A block of what is to be heard, in place of the wet signal. */
static inline void pedal_bypass_mix_block(pedal_bypass *bypass, const pedal_sample *dry, pedal_sample *wet, size_t n)
{
    for (size_t t = 0; t < n; t++)
        wet[t] = pedal_bypass_mix(bypass, dry[t], wet[t]);
}

#endif
