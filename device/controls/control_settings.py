"""One row of the table ``controls:`` of a pedal.yaml: a footswitch, LED, encoder, knob, MIDI message, board or key."""

from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.controls.value_range import ValueRange
from neuralpedal.device.yaml_document import STRICT

_HIGHEST_PIN = 27
_BOARD_PARTS = {"switch": ("press", "hold", "release", "hold_ms", "debounce_ms"), "knob": ("set", "range", "taper"),
                "light": (), "text": ()}
"""What a board has, and what may stand beside it."""
_FROM_TO = "a list of two numbers, where it begins and where it ends"

GOES_WITH: dict[str, tuple[str, ...]] = {
    "footswitch": ("press", "hold", "release", "hold_ms", "debounce_ms"),
    "led": (),
    "encoder": ("turn", "step", "push", "press", "hold", "hold_ms", "debounce_ms"),
    "knob": ("set", "range", "taper"),
    "midi": ("press", "release", "switch", "set", "range", "taper"),
    "board": ("press", "hold", "release", "hold_ms", "debounce_ms", "set", "range", "taper"),
    "key": ("press",),
}
"""By the key that says what a row is about: what else may stand in it."""


def _action(what: str) -> Any:
    return Field(default=None, min_length=1, max_length=200, description=f"{what}, such as `bypass toggle`")


def _milliseconds(low: float, high: float, default: float) -> Any:
    return Field(default=default, ge=low, le=high, description=f"a number of ms from {low:g} to {high:g}")


class KnobSettings(BaseModel):
    """Where a knob is connected: input ``mcp3008`` 0 to 7 of the converter that chip select ``select`` chooses."""

    model_config = STRICT

    mcp3008: int = Field(ge=0, le=7, description="the converter's input, 0 to 7")
    select: int = Field(default=8, ge=0, le=_HIGHEST_PIN, description="the pin of its chip select (BCM), 8 or 7")


class MidiSettings(BaseModel):
    """Which messages: of one program or of any, or of one controller."""

    model_config = STRICT

    program: int | Literal["any"] | None = Field(default=None, description="a program from 0 to 127, or any")
    cc: int | None = Field(default=None, ge=0, le=127, description="the number of a controller, 0 to 127")
    channel: int | None = Field(default=None, ge=1, le=16, description="a channel from 1 to 16")
    port: str = Field(default="", max_length=200, description="a part of the port's name, as text")

    @model_validator(mode="after")
    def _one_kind(self) -> "MidiSettings":
        if (self.program is None) == (self.cc is None):
            raise ValueError("wanted `program: any`, `program: 0…127` or `cc: 0…127`, one of them")
        if isinstance(self.program, int) and not 0 <= self.program <= 127:
            raise ValueError(f"program {self.program}: wanted 0 to 127, or any")
        return self


class BoardSettings(BaseModel):
    """A part of a board on a serial line (docs/link-protocol.md): a switch, a knob, a light, or a line of text."""

    model_config = STRICT

    port: str = Field(min_length=1, max_length=200, description="the board's port, such as /dev/ttyACM0")
    switch: int | None = Field(default=None, ge=0, le=7, description="a footswitch, 0 to 7")
    knob: int | None = Field(default=None, ge=0, le=7, description="a knob, 0 to 7")
    light: int | None = Field(default=None, ge=0, le=7, description="a light, 0 to 7: as an LED beside a footswitch")
    text: int | None = Field(default=None, ge=0, le=3, description="a line of a display, 0 to 3: the preset's name")

    @property
    def part(self) -> str:
        """Which of them it is."""
        return next(name for name in _BOARD_PARTS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_part(self) -> "BoardSettings":
        if sum(getattr(self, name) is not None for name in _BOARD_PARTS) != 1:
            raise ValueError("wanted `switch: 0`, `knob: 0`, `light: 0` or `text: 0` beside the port, one of them")
        return self


class ControlSettings(BaseModel):
    """One row.

    Attributes:
        footswitch, led: a pin (BCM). encoder: two pins, A and B; push: that of its switch. knob, midi, key: see there.
        press, hold, release: actions. turn, set: the parameter that an encoder turns, or a knob or pedal sets.
        switch: what a latching MIDI switch switches: bypass, mute or a parameter.
        step: what one detent adds. range: the values at both ends of a knob; None: all that the parameter can have.
    """

    model_config = STRICT

    footswitch: int | None = Field(default=None, ge=0, le=_HIGHEST_PIN, description="a pin from 0 to 27 (BCM)")
    led: int | None = Field(default=None, ge=0, le=_HIGHEST_PIN, description="a pin from 0 to 27 (BCM)")
    encoder: list[int] | None = Field(default=None, min_length=2, max_length=2,
                                      description="a list of two pins from 0 to 27 (BCM), such as [5, 6]")
    knob: KnobSettings | None = Field(default=None, description="an input of a converter, such as {mcp3008: 0}")
    midi: MidiSettings | None = Field(default=None, description="a message, such as {cc: 7} or {program: any}")
    board: BoardSettings | None = Field(default=None, description="a part of a board, such as {port: /dev/ttyACM0, "
                                        "switch: 0}")
    key: str | None = Field(default=None, min_length=1, max_length=1, description="one character, best in quotes")
    press: str | None = _action("what a press does")
    hold: str | None = _action("what a long press does")
    release: str | None = _action("what letting go does")
    turn: str | None = Field(default=None, description="the name of a parameter")
    set: str | None = Field(default=None, description="the name of a parameter")
    switch: str | None = Field(default=None, description="bypass, mute or the name of a parameter that is a switch")
    push: int | None = Field(default=None, ge=0, le=_HIGHEST_PIN, description="a pin from 0 to 27 (BCM)")
    step: float = Field(default=1.0, description="a number")
    range: list[float] | None = Field(default=None, min_length=2, max_length=2, description=_FROM_TO)
    taper: Literal["linear", "log"] = Field(default="linear", description="linear or log")
    hold_ms: float = _milliseconds(100.0, 10_000.0, 600.0)
    debounce_ms: float = _milliseconds(1.0, 200.0, 15.0)

    @property
    def kind(self) -> str:
        """What the row is about: a key of ``GOES_WITH``."""
        return next(kind for kind in GOES_WITH if getattr(self, kind) is not None)

    @field_validator("press", "hold", "release")
    @classmethod
    def _is_action(cls, text: str | None) -> str | None:
        if text is not None:
            parse_action(text)
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> "ControlSettings":
        kinds = [kind for kind in GOES_WITH if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"found {found}; wanted one of {', '.join(GOES_WITH)} per row")
        kind = kinds[0]
        for name in sorted(self.model_fields_set - {kind}):
            if name not in GOES_WITH[kind]:
                more = ", ".join(GOES_WITH[kind]) or "nothing else"
                raise ValueError(f"{kind} and {name} do not go together; wanted beside {kind}: {more}")
        for problem in (self._nothing_done(kind), self._contradiction()):
            if problem:
                raise ValueError(problem)
        if self.range is not None:
            ValueRange(self.range[0], self.range[1], self.taper)
        return self

    def _nothing_done(self, kind: str) -> str | None:
        wanted = {"footswitch": ("press", "hold", "release"), "encoder": ("turn",), "knob": ("set",), "key": ("press",)}
        if kind in wanted and all(getattr(self, name) is None for name in wanted[kind]):
            return f"{kind} {getattr(self, kind)} does nothing; wanted {' or '.join(wanted[kind])}"
        if self.board is not None:
            return self._wrong_beside_board()
        if self.midi and self.midi.cc is not None and not (self.press or self.release or self.switch or self.set):
            return f"cc {self.midi.cc} does nothing; wanted press, release, switch or set"
        return None

    def _wrong_beside_board(self) -> str | None:
        assert self.board is not None
        part = self.board.part
        foreign = sorted(self.model_fields_set - {"board", *_BOARD_PARTS[part]})
        if foreign:
            more = ", ".join(_BOARD_PARTS[part]) or "nothing else"
            return f"a board's {part} and {foreign[0]} do not go together; wanted {more}"
        if part == "switch" and not (self.press or self.hold or self.release):
            return "a board's switch does nothing; wanted press, hold or release"
        return "a board's knob does nothing; wanted set" if part == "knob" and self.set is None else None

    def _contradiction(self) -> str | None:
        if self.hold and self.release:
            return "hold and release do not go together: letting go of a long press would do both; take one of them"
        if self.midi and self.midi.program is not None and (self.set or self.switch or self.release):
            return "a program change has no value; wanted press, or nothing for the preset of its number"
        if self.midi and sum(bool(way) for way in (self.set, self.switch, self.press or self.release)) > 1:
            return "a controller sets, switches or is pressed: wanted set, switch or press and release, one of them"
        if self.push is None and self.encoder is not None and (self.press or self.hold):
            return "press and hold of an encoder want its switch; add push: PIN"
        if self.push is not None and not (self.press or self.hold):
            return f"push {self.push} does nothing; wanted press or hold"
        pins = [pin for pin in (*(self.encoder or ()), self.push) if pin is not None]
        if any(not 0 <= pin <= _HIGHEST_PIN for pin in pins) or len(pins) > len({*pins}):
            return f"found the pins {', '.join(map(str, pins))}, wanted different ones from 0 to {_HIGHEST_PIN} (BCM)"
        return None


def pins_of(row: ControlSettings) -> list[tuple[int, str]]:
    """The pins that a row takes for itself, and as what."""
    single = [(pin, name) for name in ("footswitch", "led", "push") if (pin := getattr(row, name)) is not None]
    return single + [(pin, "encoder") for pin in row.encoder or ()]


def actions_of(row: ControlSettings) -> list[tuple[str, str]]:
    """The actions of a row by their key."""
    return [(name, text) for name in ("press", "hold", "release") if (text := getattr(row, name)) is not None]


def parsed_actions_of(row: ControlSettings) -> dict[str, Action]:
    """As :func:`actions_of`, read."""
    return {name: parse_action(text) for name, text in actions_of(row)}
