#include "pedal_link.h"

#include <string.h>

/* A payload that says what is wrong; any frame with one of so many bytes, on the wire. */
enum { REFUSAL_BYTES = 6, SMALL_WIRE_BYTES = PEDAL_LINK_HEADER_BYTES + REFUSAL_BYTES + PEDAL_LINK_CRC_BYTES + 2 };

/* A question that is being answered. */
typedef struct {
    const uint8_t *payload;
    size_t payload_bytes;
    uint8_t answer[PEDAL_LINK_LARGEST_PAYLOAD_BYTES];
    size_t answer_bytes;
} question;

/* 0, or a PEDAL_LINK_FAULT_... */
typedef int handler(pedal_link *link, question *asked);

static void append(question *asked, const void *bytes, size_t size)
{
    memcpy(asked->answer + asked->answer_bytes, bytes, size);
    asked->answer_bytes += size;
}

static void append_8(question *asked, uint8_t value)
{
    append(asked, &value, 1);
}

static void append_16(question *asked, uint16_t value)
{
    uint8_t bytes[2];
    pedal_put_16(bytes, value);
    append(asked, bytes, sizeof bytes);
}

static void append_32(question *asked, uint32_t value)
{
    uint8_t bytes[4];
    pedal_put_32(bytes, value);
    append(asked, bytes, sizeof bytes);
}

static void append_name(question *asked, const char *text)
{
    uint8_t name[PEDAL_LINK_NAME_BYTES] = {0};
    for (size_t i = 0; text && text[i] != '\0' && i < sizeof name; i++)
        name[i] = (uint8_t)text[i];
    append(asked, name, sizeof name);
}

/* Let live audio pass while the model changes. */
static void choose(pedal_link *link)
{
    link->changing = 1;
    pedal_player_choose(link->store.selected < PEDAL_LINK_SLOTS ? &link->store.blobs[link->store.selected] : NULL);
    link->changing = 0;
}

static int hello(pedal_link *link, question *asked)
{
    const pedal_store *store = &link->store;
    link->held_samples = 0;
    append_name(asked, link->board.name);
    append_name(asked, link->board.firmware);
    append_32(asked, link->board.clock_hz);
    append_32(asked, link->board.sample_rate_hz);
    append_32(asked, (uint32_t)store->flash.slot_bytes);
    append_32(asked, store->capacity.arithmetics);
    append_16(asked, store->capacity.hidden);
    append_16(asked, PEDAL_LINK_BLOCK_SAMPLES);
    append_8(asked, store->capacity.layers);
    append_8(asked, store->capacity.samples);
    append_8(asked, link->board.time ? link->board.counter : PEDAL_LINK_COUNTER_NONE);
    append_8(asked, store->selected);
    for (unsigned slot = 0; slot < PEDAL_LINK_SLOTS; slot++) {
        static const uint8_t nothing[PEDAL_LINK_DIGEST_BYTES + PEDAL_LINK_NAME_BYTES];
        const pedal_blob *blob = &store->blobs[slot];
        const int valid = store->valid[slot];
        append_32(asked, (uint32_t)valid);
        append_32(asked, valid ? blob->bytes : 0);
        append_32(asked, valid ? blob->crc : 0);
        append(asked, valid ? blob->digest : nothing, PEDAL_LINK_DIGEST_BYTES);
        append(asked, valid ? blob->name : nothing, PEDAL_LINK_NAME_BYTES);
    }
    return 0;
}

static int upload(pedal_link *link, question *asked)
{
    const int fault = pedal_store_begin(&link->store, pedal_get_32(asked->payload), pedal_get_32(asked->payload + 4));
    if (fault) {
        link->detail = (uint32_t)link->store.flash.slot_bytes;
        return fault;
    }
    append_8(asked, link->store.target);
    append_32(asked, link->store.written);
    return 0;
}

static int chunk(pedal_link *link, question *asked)
{
    const size_t size = asked->payload_bytes - 4;
    if (size > PEDAL_LINK_CHUNK_BYTES)
        return PEDAL_LINK_FAULT_SIZE;
    const int fault = pedal_store_write(&link->store, pedal_get_32(asked->payload), asked->payload + 4, size);
    append_32(asked, link->store.written);
    return fault;
}

static int commit(pedal_link *link, question *asked)
{
    const uint8_t target = link->store.target;
    const int fault = pedal_store_commit(&link->store, pedal_get_32(asked->payload));
    append_8(asked, target);
    return fault;
}

static int select_slot(pedal_link *link, question *asked)
{
    const int fault = pedal_store_select(&link->store, asked->payload[0]);
    choose(link);
    append_8(asked, link->store.selected);
    return fault;
}

static int reset(pedal_link *link, question *asked)
{
    if (asked->payload[0] > PEDAL_LINK_RESET_BOARD)
        return PEDAL_LINK_FAULT_VALUE;
    if (asked->payload[0] == PEDAL_LINK_RESET_BOARD)
        return link->board.restart ? 0 : PEDAL_LINK_FAULT_VALUE;
    link->changing = 1;
    pedal_player_reset();
    link->changing = 0;
    return 0;
}

static int block(pedal_link *link, question *asked)
{
    const size_t count = asked->payload_bytes / sizeof(pedal_player_sample);
    if (count == 0 || count * sizeof(pedal_player_sample) != asked->payload_bytes || count > PEDAL_LINK_BLOCK_SAMPLES)
        return PEDAL_LINK_FAULT_SIZE;
    if (link->store.selected >= PEDAL_LINK_SLOTS)
        return PEDAL_LINK_FAULT_IDLE;
    link->held_samples = PEDAL_LINK_HELD_SAMPLES;
    memcpy(link->block, asked->payload, asked->payload_bytes);
    const uint32_t before = link->board.time ? link->board.time(link->board.context) : 0;
    pedal_player_process(link->block, link->block, count);
    const uint32_t taken = link->board.time ? link->board.time(link->board.context) - before : 0;
    link->times[link->blocks++ % PEDAL_LINK_TIMES] = taken;
    append_32(asked, taken);
    append(asked, link->block, asked->payload_bytes);
    return 0;
}

/* Sorts few numbers, in place. */
static void sort(uint32_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const uint32_t value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

static int statistics(pedal_link *link, question *asked)
{
    uint32_t used_bytes = 0, free_bytes = 0;
    const size_t count = link->blocks < PEDAL_LINK_TIMES ? link->blocks : PEDAL_LINK_TIMES;
    sort(link->times, count);
    if (link->board.stack)
        link->board.stack(link->board.context, &used_bytes, &free_bytes);
    append_32(asked, link->blocks);
    append_32(asked, count ? link->times[count / 2] : 0);
    append_32(asked, count ? link->times[count - 1] : 0);
    append_32(asked, link->overruns);
    append_32(asked, used_bytes);
    append_32(asked, free_bytes);
    if (asked->payload[0])
        link->blocks = link->overruns = 0;
    return 0;
}

static int parameter(pedal_link *link, question *asked)
{
    const uint32_t value = pedal_get_32(asked->payload + 1);
    if (asked->payload[0] == PEDAL_LINK_PARAMETER_ENGAGED && value <= 1)
        link->engaged = (uint8_t)value;
    else if (asked->payload[0] == PEDAL_LINK_PARAMETER_LEVEL && value <= 65535)
        link->level = (uint16_t)value;
    else
        return PEDAL_LINK_FAULT_VALUE;
    append(asked, asked->payload, 5);
    return 0;
}

static int light(pedal_link *link, question *asked)
{
    return link->board.light && link->board.light(link->board.context, asked->payload[0], asked->payload[1] != 0)
               ? 0
               : PEDAL_LINK_FAULT_VALUE;
}

static int text(pedal_link *link, question *asked)
{
    char line[PEDAL_LINK_NAME_BYTES + 1] = {0};
    if (asked->payload_bytes - 1 > PEDAL_LINK_NAME_BYTES)
        return PEDAL_LINK_FAULT_SIZE;
    memcpy(line, asked->payload + 1, asked->payload_bytes - 1);
    return link->board.text && link->board.text(link->board.context, asked->payload[0], line) ? 0
                                                                                              : PEDAL_LINK_FAULT_VALUE;
}

static int controls(pedal_link *link, question *asked)
{
    append_16(asked, link->events);
    append_8(asked, link->switches);
    for (unsigned index = 0; index < PEDAL_LINK_KNOBS; index++)
        append_16(asked, link->knobs[index]);
    return 0;
}

/* By message; payloads of at least and at most so many bytes. */
static const struct {
    handler *answer;
    uint16_t least, most;
} handlers[] = {
    [PEDAL_LINK_HELLO] = {hello, 0, 0},
    [PEDAL_LINK_UPLOAD] = {upload, 8, 8},
    [PEDAL_LINK_CHUNK] = {chunk, 5, 4 + PEDAL_LINK_CHUNK_BYTES},
    [PEDAL_LINK_COMMIT] = {commit, 4, 4},
    [PEDAL_LINK_SELECT] = {select_slot, 1, 1},
    [PEDAL_LINK_RESET] = {reset, 1, 1},
    [PEDAL_LINK_BLOCK] = {block, 1, PEDAL_LINK_CHUNK_BYTES},
    [PEDAL_LINK_STATISTICS] = {statistics, 1, 1},
    [PEDAL_LINK_PARAMETER] = {parameter, 5, 5},
    [PEDAL_LINK_LIGHT] = {light, 2, 2},
    [PEDAL_LINK_TEXT] = {text, 1, 1 + PEDAL_LINK_NAME_BYTES},
    [PEDAL_LINK_CONTROLS] = {controls, 0, 0},
};

static int handle(pedal_link *link, const pedal_link_frame *frame, question *asked)
{
    link->detail = 0;
    if (frame->message >= sizeof handlers / sizeof handlers[0] || !handlers[frame->message].answer)
        return PEDAL_LINK_FAULT_MESSAGE;
    if (frame->payload_bytes < handlers[frame->message].least || frame->payload_bytes > handlers[frame->message].most)
        return PEDAL_LINK_FAULT_SIZE;
    return handlers[frame->message].answer(link, asked);
}

static void send(pedal_link *link, uint8_t message, uint16_t sequence, const uint8_t *payload, size_t size)
{
    link->wire_bytes = pedal_link_write(link->wire, message, sequence, payload, size);
    link->board.write(link->board.context, link->wire, link->wire_bytes);
}

static void fill_refusal(uint8_t payload[REFUSAL_BYTES], const pedal_link_frame *frame, int fault, uint32_t detail)
{
    payload[0] = (uint8_t)fault;
    payload[1] = frame->message;
    pedal_put_32(payload + 2, detail);
}

/* What is no part of the session: the last answer stays what it is. */
static void turn_away(pedal_link *link, const pedal_link_frame *frame, int fault, uint32_t detail)
{
    uint8_t payload[REFUSAL_BYTES], wire[SMALL_WIRE_BYTES];
    fill_refusal(payload, frame, fault, detail);
    const size_t size = pedal_link_write(wire, PEDAL_LINK_ERROR, frame->sequence, payload, sizeof payload);
    link->board.write(link->board.context, wire, size);
}

static void answer(pedal_link *link, const pedal_link_frame *frame)
{
    question asked = {.payload = frame->payload, .payload_bytes = frame->payload_bytes};
    const int fault = handle(link, frame, &asked);
    link->greeted = 1;
    link->sequence = frame->sequence;
    if (fault) {
        uint8_t payload[REFUSAL_BYTES];
        fill_refusal(payload, frame, fault, link->detail);
        send(link, PEDAL_LINK_ERROR, frame->sequence, payload, sizeof payload);
        return;
    }
    send(link, frame->message | PEDAL_LINK_ANSWER, frame->sequence, asked.answer, asked.answer_bytes);
    if (frame->message == PEDAL_LINK_RESET && frame->payload[0] == PEDAL_LINK_RESET_BOARD)
        link->board.restart(link->board.context);
}

void pedal_link_receive(pedal_link *link, uint8_t byte)
{
    pedal_link_frame frame;
    if (!pedal_link_take(&link->reader, byte, &frame))
        return;
    if (frame.version != PEDAL_LINK_VERSION)
        turn_away(link, &frame, PEDAL_LINK_FAULT_VERSION, PEDAL_LINK_VERSION);
    else if (frame.message == PEDAL_LINK_HELLO)
        answer(link, &frame);
    else if (!link->greeted)
        turn_away(link, &frame, PEDAL_LINK_FAULT_HELLO, 0);
    else if (frame.sequence == link->sequence)
        link->board.write(link->board.context, link->wire, link->wire_bytes);
    else if (frame.sequence == (uint16_t)(link->sequence + 1))
        answer(link, &frame);
    else
        turn_away(link, &frame, PEDAL_LINK_FAULT_SEQUENCE, link->sequence);
}

void pedal_link_init(pedal_link *link, const pedal_link_board *board, const pedal_flash *flash)
{
    pedal_capacity capacity = pedal_player_capacity();
    memset(link, 0, sizeof *link);
    link->board = *board;
    link->engaged = 1;
    link->level = PEDAL_LINK_UNITY;
    capacity.sample_rate_hz = board->sample_rate_hz;
    pedal_store_open(&link->store, flash, &capacity);
    choose(link);
}

static pedal_player_sample scaled(pedal_player_sample wet, uint16_t level)
{
#if PEDAL_PLAYER_INT16
    const int32_t product = (int32_t)(((int64_t)wet * level) >> 15);
    return (pedal_player_sample)(product > 32767 ? 32767 : product < -32768 ? -32768 : product);
#else
    return wet * ((float)level * (1.0f / (float)PEDAL_LINK_UNITY));
#endif
}

void pedal_link_play(pedal_link *link, const pedal_player_sample *in, pedal_player_sample *out, size_t n)
{
    const uint32_t held = link->held_samples;
    if (held)
        link->held_samples = held > n ? held - (uint32_t)n : 0;
    if (held || link->changing || !link->engaged) {
        if (in != out)
            memcpy(out, in, n * sizeof *out);
        return;
    }
    pedal_player_process(in, out, n);
    if (link->level != PEDAL_LINK_UNITY)
        for (size_t t = 0; t < n; t++)
            out[t] = scaled(out[t], link->level);
}

void pedal_link_overrun(pedal_link *link)
{
    link->overruns++;
}

static void tell(pedal_link *link, uint8_t control, unsigned index, uint16_t value)
{
    uint8_t payload[4] = {control, (uint8_t)index}, wire[SMALL_WIRE_BYTES];
    pedal_put_16(payload + 2, value);
    const size_t size = pedal_link_write(wire, PEDAL_LINK_EVENT, link->events++, payload, sizeof payload);
    link->board.write(link->board.context, wire, size);
}

void pedal_link_footswitch(pedal_link *link, unsigned index, int pressed)
{
    const uint8_t bit = (uint8_t)(1u << index % PEDAL_LINK_FOOTSWITCHES);
    if (((link->switches & bit) != 0) == (pressed != 0))
        return;
    link->switches ^= bit;
    tell(link, PEDAL_LINK_CONTROL_FOOTSWITCH, index, pressed != 0);
}

void pedal_link_knob(pedal_link *link, unsigned index, uint16_t value)
{
    if (link->knobs[index % PEDAL_LINK_KNOBS] == value)
        return;
    link->knobs[index % PEDAL_LINK_KNOBS] = value;
    tell(link, PEDAL_LINK_CONTROL_KNOB, index, value);
}
