#include "pedal_player.h"

#include <string.h>

#include "pedal_link_protocol.h"
#include "pedal_player_kernels.h"

/* PEDAL_LINK_ARITHMETIC_..., 0 for none. */
static uint8_t arithmetic;

pedal_capacity pedal_player_capacity(void)
{
    const pedal_capacity capacity = {
        .arithmetics = UINT32_C(1) << PEDAL_LINK_ARITHMETIC_FLOAT | UINT32_C(1) << PEDAL_LINK_ARITHMETIC_W8A16,
        .hidden = PEDAL_PLAYER_HIDDEN,
        .layers = PEDAL_BLOB_LAYERS,
        .samples = PEDAL_PLAYER_INT16 ? PEDAL_LINK_SAMPLES_INT16 : PEDAL_LINK_SAMPLES_FLOAT};
    return capacity;
}

void pedal_player_choose(const pedal_blob *blob)
{
    arithmetic = blob ? blob->arithmetic : 0;
    if (arithmetic == PEDAL_LINK_ARITHMETIC_FLOAT)
        pedal_player_float_choose(blob);
    else if (arithmetic == PEDAL_LINK_ARITHMETIC_W8A16)
        pedal_player_w8a16_choose(blob);
}

void pedal_player_reset(void)
{
    if (arithmetic == PEDAL_LINK_ARITHMETIC_FLOAT)
        pedal_player_float_reset();
    else if (arithmetic == PEDAL_LINK_ARITHMETIC_W8A16)
        pedal_player_w8a16_reset();
}

void pedal_player_process(const pedal_player_sample *in, pedal_player_sample *out, size_t n)
{
    if (arithmetic == PEDAL_LINK_ARITHMETIC_FLOAT)
        pedal_player_float_process(in, out, n);
    else if (arithmetic == PEDAL_LINK_ARITHMETIC_W8A16)
        pedal_player_w8a16_process(in, out, n);
    else if (in != out)
        memcpy(out, in, n * sizeof *out);
}
