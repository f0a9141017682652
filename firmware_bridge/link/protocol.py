"""The numbers of the protocol.

Generated from link/protocol.yaml by python -m neuralpedal.firmware_bridge.link.generation; do not edit.
"""

from enum import IntEnum

VERSION = 1
HEADER_BYTES = 4
CRC_BYTES = 4
LARGEST_PAYLOAD_BYTES = 520
CHUNK_BYTES = 512
NAME_BYTES = 32
DIGEST_BYTES = 16
SLOTS = 2
FOOTSWITCHES = 8
KNOBS = 8
TEXT_LINES = 4


class Request(IntEnum):
    """What the host asks."""

    HELLO = 1
    UPLOAD = 2
    CHUNK = 3
    COMMIT = 4
    SELECT = 5
    RESET = 6
    BLOCK = 7
    STATISTICS = 8
    PARAMETER = 9
    LIGHT = 10
    TEXT = 11
    CONTROLS = 12


class Notice(IntEnum):
    """What the board says unasked."""

    EVENT = 65


class Answer(IntEnum):
    """What an answer adds to its request, and the answer that says what is wrong."""

    ANSWER = 128
    ERROR = 255


class Fault(IntEnum):
    """What a board refuses."""

    VERSION = 1
    MESSAGE = 2
    SIZE = 3
    SEQUENCE = 4
    HELLO = 5
    OFFSET = 6
    CRC = 7
    BLOB = 8
    CAPACITY = 9
    FLASH = 10
    SLOT = 11
    IDLE = 12
    VALUE = 13


class Samples(IntEnum):
    """Type of a board's samples."""

    FLOAT = 0
    INT16 = 1


class Arithmetic(IntEnum):
    """What a model is computed in; bits of a board's mask."""

    FLOAT = 1
    W8A16 = 2
    GRU = 3
    W8A8 = 4
    W8A8_PAIR = 5


class Counter(IntEnum):
    """What a board counts in a block."""

    CYCLES = 0
    INSTRUCTIONS = 1
    NONE = 2


class Reset(IntEnum):
    """What is reset."""

    STATE = 0
    BOARD = 1


class Parameter(IntEnum):
    """What a host may set."""

    ENGAGED = 0
    LEVEL = 1


class Control(IntEnum):
    """What a foot may move."""

    FOOTSWITCH = 0
    KNOB = 1
