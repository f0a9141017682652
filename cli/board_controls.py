"""A microcontroller as foot-controller of ``run``: its switches and knobs do actions, its lights and display answer.

A thread of its own talks to the board: a line that hangs waits there, and neither the music nor the other controls wait
with it. A board that is not there, or goes, is told once and looked for once a second.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from neuralpedal.contract.errors import LinkError
from neuralpedal.device.action import Action
from neuralpedal.device.controls.control_settings import ControlSettings, parsed_actions_of
from neuralpedal.device.controls.control_table import all_limits, range_of
from neuralpedal.device.controls.led import is_lit
from neuralpedal.device.controls.press import HOLD, Press
from neuralpedal.device.controls.source import IDLE_S, Deliver
from neuralpedal.device.controls.value_range import ValueRange
from neuralpedal.device.pedal import Heard
from neuralpedal.firmware_bridge.link.board import Board
from neuralpedal.firmware_bridge.link.protocol import Control

if TYPE_CHECKING:
    from neuralpedal.firmware_bridge.link.messages import Event

LOOK_S = 1.0
_ROUND_S = 0.02
_JOIN_S = 5.0
_KNOB_TOP = 65535


class _Switch:
    """A footswitch of the board with what it does."""

    def __init__(self, row: ControlSettings) -> None:
        self.actions = parsed_actions_of(row)
        self.press = Press(1e-3 * row.debounce_ms, 1e-3 * row.hold_ms if HOLD in self.actions else None)


class BoardControls:
    """All rows of one port, as a source of the control loop.

    Args:
        rows: of the whole table. light: what is heard of the pedal. text: what the display shows.
        tell: gets lines for people. connect: opens a session; raises LinkError. clock: seconds.
    """

    def __init__(self, port: str, rows: Sequence[ControlSettings], deliver: Deliver, light: Callable[[], Heard],
                 text: Callable[[], str], tell: Callable[[str], None], connect: Callable[[str], Board] = Board,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.name = f"board {port}"
        self._port, self._deliver, self._light, self._text = port, deliver, light, text
        self._tell, self._connect, self._clock = tell, connect, clock
        mine = [(row, row.board) for row in rows if row.board and row.board.port == port]
        self._switches = [(part.switch, _Switch(row)) for row, part in mine if part.switch is not None]
        self._knobs: list[tuple[int, str, ValueRange]] = [
            (part.knob, row.set, range_of(row, all_limits())) for row, part in mine
            if part.knob is not None and row.set is not None]
        self._lights = [part.light for _, part in mine if part.light is not None]
        self._lines = [part.text for _, part in mine if part.text is not None]
        self._board: Board | None = None
        self._shown: tuple[bool, str] | None = None
        self._lost, self._complained = 0, False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def descriptors(self) -> list[int]:
        """None: the board's own thread listens."""
        return []

    def tend(self, now_s: float) -> float:
        """Begin to listen, once."""
        if not self._thread.ident:
            self._thread.start()
        return IDLE_S

    def close(self) -> None:
        """Lights off as far as the board still answers, and the port given back."""
        self._ends.set()
        if self._thread.ident:
            self._thread.join(_JOIN_S)
        self._let_go()

    def turn(self) -> bool:
        """Look for the board, do what came from it, show what changed. False: there is none."""
        try:
            if self._board is None:
                self._greet()
            self._listen()
            self._show()
        except LinkError as error:
            if not self._complained:
                self._tell(f"{error}; the music goes on, and the board is looked for")
            self._complained = True
            self._let_go()
            return False
        return True

    def _run(self) -> None:
        while not self._ends.is_set():
            if not self.turn():
                self._ends.wait(LOOK_S)

    def _greet(self) -> None:
        self._board = self._connect(self._port)
        self._shown, self._lost = None, 0
        # A switch that is closed at the start is no press: pressing begins anew.
        for _, switch in self._switches:
            switch.press.note(False, self._clock())
        if self._complained:
            self._tell(f"{self.name}: {self._board.info.board} is connected")
        self._complained = False

    def _listen(self) -> None:
        assert self._board is not None
        event = self._board.wait_for_event(_ROUND_S)
        if event is not None:
            self._take(event)
        if self._board.lost_events > self._lost:
            self._lost = self._board.lost_events
            standing = self._board.controls().footswitches
            for index, switch in self._switches:
                switch.press.note(standing[index], self._clock())
        for index, switch in self._switches:
            for what in switch.press.events(self._clock()):
                if what in switch.actions:
                    self._deliver(switch.actions[what], f"{self.name} switch {index}")

    def _take(self, event: "Event") -> None:
        if event.control == Control.FOOTSWITCH:
            for index, switch in self._switches:
                if index == event.index:
                    switch.press.note(bool(event.value), self._clock())
            return
        for index, parameter, values in self._knobs:
            if index == event.index:
                action = Action("set", parameter, values.at(event.value / _KNOB_TOP))
                self._deliver(action, f"{self.name} knob {index}")

    def _show(self) -> None:
        assert self._board is not None
        wanted = (is_lit(self._light(), self._clock()), self._text())
        if wanted == self._shown:
            return
        if self._shown is None or wanted[0] != self._shown[0]:
            for index in self._lights:
                self._board.set_light(index, wanted[0])
        if self._shown is None or wanted[1] != self._shown[1]:
            for line in self._lines:
                self._board.set_text(line, wanted[1])
        self._shown = wanted

    def _let_go(self) -> None:
        board, self._board = self._board, None
        if board is not None:
            try:
                for index in self._lights if self._ends.is_set() else []:
                    board.set_light(index, False)
            except LinkError:
                pass
            board.close()
