"""A MIDI controller: program changes choose presets, controllers set parameters or switch, on any channel or on one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from neuralpedal.device.action import Action
from neuralpedal.device.controls.library import library
from neuralpedal.device.controls.midi_port import MidiPort
from neuralpedal.device.controls.press import PRESS, RELEASE
from neuralpedal.device.controls.source import Deliver
from neuralpedal.device.controls.value_range import ValueRange

FETCH_S = 0.01
"""How often messages are fetched: a foot does not notice ten milliseconds, and asking costs next to nothing."""

_LOOK_S = 1.0
_TOP, _PRESSED_FROM = 127, 64


@dataclass(frozen=True)
class MidiMapping:
    """What one kind of message does.

    Attributes:
        program: 0 to 127; None: any, and it chooses the preset of its number plus 1 (if ``press`` says nothing else).
        controller: 0 to 127; None: this is about programs. channel: 1 to 16; None: any.
        press, release: what a momentary switch does when its value rises to 64 or above, and falls below. switch: what
            follows a latching one: ``bypass``, ``mute`` or a parameter. parameter, values: what a pedal or knob sets.
    """

    program: int | None = None
    controller: int | None = None
    channel: int | None = None
    press: Action | None = None
    release: Action | None = None
    switch: str | None = None
    parameter: str | None = None
    values: ValueRange | None = None


class Midi:
    """All mappings of one port. A port that is not there, or goes, is noted and looked for again, once a second.

    Args:
        part: of the port's name. tell: gets a line for people when the port comes or goes.
    """

    def __init__(self, part: str, mappings: Sequence[MidiMapping], deliver: Deliver,
                 tell: Callable[[str], None]) -> None:
        self.name = f"midi {part}" if part else "midi"
        self._mappings, self._deliver, self._tell = list(mappings), deliver, tell
        self._down: dict[tuple[int, int], bool] = {}
        self._parse: Callable[[list[int]], Any] = library("mido", "mido", "MIDI", "midi", "midi").Message.from_bytes
        self._port = MidiPort(part)
        self._looked_s: float | None = None

    def descriptors(self) -> list[int]:
        """None: RtMidi collects, and is asked."""
        return []

    def tend(self, now_s: float) -> float:
        """Do what the messages say."""
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_S:
            first, self._looked_s = self._looked_s is None, now_s
            self._look(first)
        if not self._port.connected:
            return _LOOK_S
        for data in self._port.messages():
            try:
                message = self._parse(data)
            except ValueError:
                # Half a message of a cable that was pulled out.
                continue
            self._answer(message)
        return FETCH_S

    def close(self) -> None:
        """Leave the system."""
        self._port.close()

    def _look(self, first: bool) -> None:
        before = self._port.connected
        if self._port.look():
            self._down.clear()
            self._tell(f"{self.name}: {self._port.connected} is connected" if self._port.connected else
                       f"{self.name}: {before} is gone; the music goes on, and it is looked for")
        elif first and not self._port.connected:
            self._tell(f"{self.name}: no such port yet; it is looked for, once a second")

    def _answer(self, message: Any) -> None:
        if message.type == "program_change":
            for mapping in self._mappings:
                wanted = mapping.controller is None and mapping.program in (None, message.program)
                if wanted and _hears(mapping, message):
                    self._deliver(mapping.press or Action("preset", str(message.program + 1)),
                                  f"midi program {message.program}")
        elif message.type == "control_change":
            self._control(message)

    def _control(self, message: Any) -> None:
        key = (message.channel, message.control)
        was_down, is_down = self._down.get(key, False), message.value >= _PRESSED_FROM
        self._down[key] = is_down
        for mapping in self._mappings:
            if mapping.controller == message.control and _hears(mapping, message):
                action = _of_controller(mapping, message.value, was_down, is_down)
                if action:
                    self._deliver(action, f"midi cc {message.control}")


def _hears(mapping: MidiMapping, message: Any) -> bool:
    return mapping.channel in (None, message.channel + 1)


def _of_controller(mapping: MidiMapping, value: int, was_down: bool, is_down: bool) -> Action | None:
    if mapping.parameter is not None:
        assert mapping.values is not None, "a parameter is set within a range"
        return Action("set", mapping.parameter, mapping.values.at(value / _TOP))
    if mapping.switch in ("bypass", "mute"):
        return Action(mapping.switch, "on" if is_down else "off")
    if mapping.switch is not None:
        return Action("set", mapping.switch, float(is_down))
    edges = {(False, True): PRESS, (True, False): RELEASE}
    return {PRESS: mapping.press, RELEASE: mapping.release}.get(edges.get((was_down, is_down), ""))
