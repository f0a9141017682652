/* Generated from link/protocol.yaml by python -m neuralpedal.firmware_bridge.link.generation; do not edit. */
#ifndef PEDAL_LINK_PROTOCOL_H
#define PEDAL_LINK_PROTOCOL_H

#define PEDAL_LINK_VERSION 1

#define PEDAL_LINK_HEADER_BYTES 4
#define PEDAL_LINK_CRC_BYTES 4
#define PEDAL_LINK_LARGEST_PAYLOAD_BYTES 520
#define PEDAL_LINK_CHUNK_BYTES 512
#define PEDAL_LINK_NAME_BYTES 32
#define PEDAL_LINK_DIGEST_BYTES 16
#define PEDAL_LINK_SLOTS 2
#define PEDAL_LINK_FOOTSWITCHES 8
#define PEDAL_LINK_KNOBS 8
#define PEDAL_LINK_TEXT_LINES 4

/* What the host asks. */
#define PEDAL_LINK_HELLO 1
#define PEDAL_LINK_UPLOAD 2
#define PEDAL_LINK_CHUNK 3
#define PEDAL_LINK_COMMIT 4
#define PEDAL_LINK_SELECT 5
#define PEDAL_LINK_RESET 6
#define PEDAL_LINK_BLOCK 7
#define PEDAL_LINK_STATISTICS 8
#define PEDAL_LINK_PARAMETER 9
#define PEDAL_LINK_LIGHT 10
#define PEDAL_LINK_TEXT 11
#define PEDAL_LINK_CONTROLS 12

/* What the board says unasked. */
#define PEDAL_LINK_EVENT 65

/* What an answer adds to its request, and the answer that says what is wrong. */
#define PEDAL_LINK_ANSWER 128
#define PEDAL_LINK_ERROR 255

/* What a board refuses. */
#define PEDAL_LINK_FAULT_VERSION 1
#define PEDAL_LINK_FAULT_MESSAGE 2
#define PEDAL_LINK_FAULT_SIZE 3
#define PEDAL_LINK_FAULT_SEQUENCE 4
#define PEDAL_LINK_FAULT_HELLO 5
#define PEDAL_LINK_FAULT_OFFSET 6
#define PEDAL_LINK_FAULT_CRC 7
#define PEDAL_LINK_FAULT_BLOB 8
#define PEDAL_LINK_FAULT_CAPACITY 9
#define PEDAL_LINK_FAULT_FLASH 10
#define PEDAL_LINK_FAULT_SLOT 11
#define PEDAL_LINK_FAULT_IDLE 12
#define PEDAL_LINK_FAULT_VALUE 13

/* Type of a board's samples. */
#define PEDAL_LINK_SAMPLES_FLOAT 0
#define PEDAL_LINK_SAMPLES_INT16 1

/* What a model is computed in; bits of a board's mask. */
#define PEDAL_LINK_ARITHMETIC_FLOAT 1
#define PEDAL_LINK_ARITHMETIC_W8A16 2
#define PEDAL_LINK_ARITHMETIC_GRU 3
#define PEDAL_LINK_ARITHMETIC_W8A8 4
#define PEDAL_LINK_ARITHMETIC_W8A8_PAIR 5

/* What a board counts in a block. */
#define PEDAL_LINK_COUNTER_CYCLES 0
#define PEDAL_LINK_COUNTER_INSTRUCTIONS 1
#define PEDAL_LINK_COUNTER_NONE 2

/* What is reset. */
#define PEDAL_LINK_RESET_STATE 0
#define PEDAL_LINK_RESET_BOARD 1

/* What a host may set. */
#define PEDAL_LINK_PARAMETER_ENGAGED 0
#define PEDAL_LINK_PARAMETER_LEVEL 1

/* What a foot may move. */
#define PEDAL_LINK_CONTROL_FOOTSWITCH 0
#define PEDAL_LINK_CONTROL_KNOB 1

#endif
