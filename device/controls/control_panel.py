"""All controls of a running pedal: made from the rows of ``controls:``, looked after by one thread."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.controls.control_loop import ControlLoop
from neuralpedal.device.controls.control_server import ControlServer
from neuralpedal.device.controls.control_settings import ControlSettings, parsed_actions_of
from neuralpedal.device.controls.control_table import Limits, range_of
from neuralpedal.device.controls.encoder import Encoder
from neuralpedal.device.controls.footswitch import Footswitch
from neuralpedal.device.controls.keyboard import Keyboard, usual_actions
from neuralpedal.device.controls.knob import Knob
from neuralpedal.device.controls.led import Led
from neuralpedal.device.controls.midi import Midi, MidiMapping
from neuralpedal.device.pedal import Heard


class ControlPanel:
    """Listens from ``start`` to ``close``; its ``with`` closes it, whatever happens.

    Args:
        apply: does an action, on the control thread; raises PedalError where it cannot.
        status: of the pedal, JSON-able. light: what is heard of it. tell: gets lines for people.
        rows: checked (``check_table``). limits: of the parameters.

    Attributes:
        loop: what was done and by whom. has_keys: of a terminal. shows_help: whether the view should show them.
    """

    def __init__(self, apply: Callable[[Action], None], status: Callable[[], dict[str, Any]],
                 light: Callable[[], Heard], tell: Callable[[str], None], rows: Sequence[ControlSettings],
                 limits: Limits) -> None:
        self.loop = ControlLoop(apply, tell)
        self.has_keys = self.shows_help = False
        self._status, self._light, self._tell = status, light, tell
        self._rows, self._limits = list(rows), limits

    def __enter__(self) -> "ControlPanel":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def connect(self, terminal: int | None, end: Callable[[], None]) -> None:
        """Make all sources; what of them was made is closed with the panel. Before ``start``.

        Args:
            terminal: whose keys are read; None: no keys. end: called by the key that ends.

        Raises:
            ControlError: a pin or MIDI is not to be had.
        """
        for row in self._rows:
            if row.footswitch is not None:
                self._add_switch(f"footswitch {row.footswitch}", row.footswitch, row)
            elif row.led is not None:
                self.loop.add(Led(f"led {row.led}", row.led, self._light))
            elif row.encoder is not None:
                self._add_encoder(row)
            elif row.knob is not None:
                assert row.set is not None, "a checked row"
                self.loop.add(Knob(f"knob {row.knob.mcp3008}", row.knob.mcp3008, row.knob.select, row.set,
                               range_of(row, self._limits), self.loop.deliver))
        for part in dict.fromkeys(row.midi.port for row in self._rows if row.midi):
            mappings = [self._mapping(row) for row in self._rows if row.midi and row.midi.port == part]
            self.loop.add(Midi(part, mappings, self.loop.deliver, self._tell))
        if terminal is not None:
            self.has_keys = True
            keys = usual_actions() | {row.key: parse_action(row.press) for row in self._rows if row.key and row.press}
            self.loop.add(Keyboard(keys, self.loop.deliver, end, self._toggle_help, terminal))

    def listen(self, socket: Path) -> None:
        """To scripts as well. Before ``start``. Raises ControlError."""
        self.loop.add(ControlServer(socket, self.loop.order, self.status))

    def start(self) -> None:
        """Listen from now on."""
        self.loop.start()

    def close(self) -> None:
        """Give everything back; a second time it does nothing."""
        self.loop.close()

    def status(self) -> dict[str, Any]:
        """Of the pedal, and what was asked of it."""
        return {**self._status(), **self.counts()}

    def counts(self) -> dict[str, Any]:
        """What was asked: actions done, refused and dropped, and the last one with its source."""
        loop = self.loop
        return {"actions": loop.actions, "actions_refused": loop.refused, "actions_dropped": loop.dropped,
                "last_action": loop.last}

    def _add_switch(self, name: str, pin: int, row: ControlSettings) -> None:
        self.loop.add(Footswitch(name, pin, parsed_actions_of(row), self.loop.deliver, self.loop.wake,
                                 1e-3 * row.debounce_ms, 1e-3 * row.hold_ms))

    def _add_encoder(self, row: ControlSettings) -> None:
        assert row.encoder is not None and row.turn is not None, "a checked row"
        first, second = row.encoder
        self.loop.add(Encoder(f"encoder {first} {second}", (first, second), row.turn, row.step, self.loop.deliver,
                          self.loop.wake))
        if row.push is not None:
            self._add_switch(f"encoder push {row.push}", row.push, row)

    def _mapping(self, row: ControlSettings) -> MidiMapping:
        assert row.midi is not None, "a row about MIDI"
        program = row.midi.program if isinstance(row.midi.program, int) else None
        actions = parsed_actions_of(row)
        values = range_of(row, self._limits) if row.set is not None else None
        return MidiMapping(program, row.midi.cc, row.midi.channel, actions.get("press"), actions.get("release"),
                           row.switch, row.set, values)

    def _toggle_help(self) -> None:
        self.shows_help = not self.shows_help
