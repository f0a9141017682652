"""What messages hold: the answers of a board as values, see docs/link-protocol.md."""

import struct
from dataclasses import dataclass

from neuralpedal.contract.errors import LinkError
from neuralpedal.firmware_bridge.link.protocol import (
    DIGEST_BYTES,
    FOOTSWITCHES,
    KNOBS,
    NAME_BYTES,
    SLOTS,
    Arithmetic,
    Control,
    Counter,
    Samples,
)

_HELLO = struct.Struct(f"<{NAME_BYTES}s{NAME_BYTES}sIIIIHHBBBB")
_SLOT = struct.Struct(f"<III{DIGEST_BYTES}s{NAME_BYTES}s")
_STATISTICS = struct.Struct("<6I")
_EVENT = struct.Struct("<BBH")
_CONTROLS = struct.Struct(f"<HB{KNOBS}H")


@dataclass(frozen=True)
class Slot:
    """A place for a model; ``digest`` and ``name`` are those of the file that it came from."""

    valid: bool
    size_bytes: int
    crc: int
    digest: bytes
    name: str


@dataclass(frozen=True)
class BoardInfo:
    """What a board is and can do.

    Attributes:
        sample_rate_hz: 0 for any. slot_bytes: the largest model. block_samples: the largest block.
        counter: in what the board counts time. selected: the slot that plays, None for none.
    """

    board: str
    firmware: str
    clock_hz: int
    sample_rate_hz: int
    slot_bytes: int
    arithmetics: tuple[Arithmetic, ...]
    hidden_size: int
    block_samples: int
    layers: int
    samples: Samples
    counter: Counter
    selected: int | None
    slots: tuple[Slot, ...]

    @property
    def playing(self) -> Slot | None:
        """The model that plays."""
        return None if self.selected is None else self.slots[self.selected]


@dataclass(frozen=True)
class Statistics:
    """Of the last blocks; p50 and maximum in what the board counts. Stack in bytes, 0 where it is not measured."""

    blocks: int
    p50: int
    maximum: int
    overruns: int
    stack_bytes: int
    stack_free_bytes: int


@dataclass(frozen=True)
class Event:
    """A control moved. ``number`` counts up from 0 since the board's start; ``value``: 0 or 1, of a knob 0 to 65535."""

    number: int
    control: Control
    index: int
    value: int


@dataclass(frozen=True)
class Controls:
    """How everything stands; ``next_event``: the number that the next event will have."""

    next_event: int
    footswitches: tuple[bool, ...]
    knobs: tuple[int, ...]


def read_hello(payload: bytes) -> BoardInfo:
    """Raises LinkError."""
    if len(payload) != _HELLO.size + SLOTS * _SLOT.size:
        raise LinkError(f"hello was answered with {len(payload)} bytes, wanted {_HELLO.size + SLOTS * _SLOT.size}; "
                        "flash the firmware of this version of neuralpedal")
    try:
        (board, firmware, clock_hz, rate_hz, slot_bytes, mask, hidden, block, layers, samples, counter,
         selected) = _HELLO.unpack_from(payload)
        return BoardInfo(
            _text(board), _text(firmware), clock_hz, rate_hz, slot_bytes,
            tuple(one for one in Arithmetic if mask >> one & 1), hidden, block, layers, Samples(samples),
            Counter(counter), selected if selected < SLOTS else None,
            tuple(_slot(payload[_HELLO.size + index * _SLOT.size :]) for index in range(SLOTS)))
    except ValueError as error:
        raise LinkError(f"hello was answered with what is unknown here ({error}); update neuralpedal") from error


def read_statistics(payload: bytes) -> Statistics:
    """Raises LinkError."""
    return Statistics(*_unpack(_STATISTICS, payload, "statistics"))


def read_event(number: int, payload: bytes) -> Event:
    """Raises LinkError."""
    control, index, value = _unpack(_EVENT, payload, "an event")
    try:
        return Event(number, Control(control), index, value)
    except ValueError as error:
        raise LinkError(f"an event of an unknown control ({control}); update neuralpedal") from error


def read_controls(payload: bytes) -> Controls:
    """Raises LinkError."""
    next_event, switches, *knobs = _unpack(_CONTROLS, payload, "controls")
    return Controls(next_event, tuple(bool(switches >> index & 1) for index in range(FOOTSWITCHES)), tuple(knobs))


def _slot(payload: bytes) -> Slot:
    valid, size_bytes, crc, digest, name = _SLOT.unpack_from(payload)
    return Slot(bool(valid), size_bytes, crc, digest, _text(name))


def _unpack(form: struct.Struct, payload: bytes, what: str) -> tuple[int, ...]:
    if len(payload) != form.size:
        raise LinkError(f"{what}: {len(payload)} bytes came, wanted {form.size}; flash the firmware of this version")
    return form.unpack(payload)


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode(errors="replace")
