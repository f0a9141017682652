#include "pedal_player.h"

#include <string.h>

#include "pedal_link_protocol.h"
#include "pedal_player_kernels.h"

static const pedal_player_kernel *const kernels[] = {&pedal_player_float, &pedal_player_gru, &pedal_player_w8a16,
                                                    &pedal_player_w8a8, &pedal_player_w8a8_pair};

enum { KERNELS = sizeof kernels / sizeof kernels[0] };

/* NULL: none plays. */
static const pedal_player_kernel *chosen;

pedal_capacity pedal_player_capacity(void)
{
    pedal_capacity capacity = {
        .hidden = PEDAL_PLAYER_HIDDEN,
        .layers = PEDAL_BLOB_LAYERS,
        .samples = PEDAL_PLAYER_INT16 ? PEDAL_LINK_SAMPLES_INT16 : PEDAL_LINK_SAMPLES_FLOAT};
    for (size_t i = 0; i < KERNELS; i++)
        capacity.arithmetics |= UINT32_C(1) << kernels[i]->arithmetic;
    return capacity;
}

void pedal_player_choose(const pedal_blob *blob)
{
    chosen = NULL;
    for (size_t i = 0; blob && i < KERNELS; i++)
        if (kernels[i]->arithmetic == blob->arithmetic) {
            kernels[i]->choose(blob);
            chosen = kernels[i];
        }
}

void pedal_player_reset(void)
{
    if (chosen)
        chosen->forget();
}

void pedal_player_process(const pedal_player_sample *in, pedal_player_sample *out, size_t n)
{
    if (chosen)
        chosen->play(in, out, n);
    else if (in != out)
        memcpy(out, in, n * sizeof *out);
}
