/* The steps of pedal_w8a16.c, once for each of the gates' usual formats: saturation and shift by constants are one instruction
 * each, by variables half a dozen. What else models have is played by the last one.
 */
#ifndef PEDAL_PLAYER_STEPS_H
#define PEDAL_PLAYER_STEPS_H

#define PEDAL_STEP(name, gate_bits)                                                                   \
    static void pedal_step_first_##name(pedal_state *state, int32_t x)                                \
    {                                                                                                 \
        enum { layer = 0 };                                                                           \
        const pedal_format format = {gate_bits, played.cell_bits[layer]};                             \
        pedal_step_first(state, x, format);                                                           \
    }                                                                                                 \
    static void pedal_step_second_##name(pedal_state *state, int32_t x)                               \
    {                                                                                                 \
        enum { layer = 1 };                                                                           \
        const pedal_format format = {gate_bits, played.cell_bits[layer]};                             \
        (void)x;                                                                                      \
        pedal_step_second(state, format);                                                             \
    }

PEDAL_STEP(20, 20)
PEDAL_STEP(19, 19)
PEDAL_STEP(18, 18)
PEDAL_STEP(17, 17)
PEDAL_STEP(16, 16)
PEDAL_STEP(other, played.gate_bits[layer])
#undef PEDAL_STEP

typedef void pedal_layer_step(pedal_state *state, int32_t x);

static pedal_layer_step *pedal_find_step(int index, int gate_bits)
{
    static pedal_layer_step *const steps[PEDAL_BLOB_LAYERS][5] = {
        {pedal_step_first_20, pedal_step_first_19, pedal_step_first_18, pedal_step_first_17, pedal_step_first_16},
        {pedal_step_second_20, pedal_step_second_19, pedal_step_second_18, pedal_step_second_17, pedal_step_second_16}};
    if (gate_bits >= 16 && gate_bits <= 20)
        return steps[index][20 - gate_bits];
    return index == 0 ? pedal_step_first_other : pedal_step_second_other;
}

static pedal_layer_step *pedal_layer_steps[PEDAL_BLOB_LAYERS];

#endif
