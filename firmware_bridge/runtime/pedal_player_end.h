/* The end of a player's file: its state, and what pedal_player.c calls. */

static struct {
    const void *cell, *hidden;
} first[PEDAL_BLOB_LAYERS];
static pedal_state state;

/* Back to where the model begins. */
static void forget(void)
{
    memset(&state, 0, sizeof state);
    for (int index = 0; index < sizes.layers; index++)
        if (first[index].cell) {
            memcpy(state.layers[index].cell, first[index].cell, (size_t)sizes.hidden * sizeof(pedal_cell));
            memcpy(state.layers[index].hidden, first[index].hidden, (size_t)sizes.padded * sizeof(pedal_hidden));
        }
}

static void choose(const pedal_blob *blob)
{
    sizes.hidden = blob->hidden;
    sizes.padded = blob->padded;
    sizes.layers = blob->layers;
    sizes.skip = blob->skip;
    for (int index = 0; index < blob->layers; index++) {
        first[index].cell = blob->layer[index].first_cell;
        first[index].hidden = blob->layer[index].first_hidden;
    }
    read_constants(blob);
    forget();
}

static void play(const pedal_player_sample *in, pedal_player_sample *out, size_t n)
{
    pedal_process(&state, in, out, n);
}

const pedal_player_kernel PEDAL_PLAYER_KERNEL = {PEDAL_PLAYER_ARITHMETIC, choose, forget, play};
