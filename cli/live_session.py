"""From the first block to the last: watches a pedal play, tells view and log, and ends it without a click."""

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from neuralpedal.cli.console import warn
from neuralpedal.cli.live_health import LiveHealth
from neuralpedal.cli.live_log import LiveLog
from neuralpedal.cli.live_view import LiveView, tuner_text, xrun_text
from neuralpedal.cli.quick_threads import quick_threads
from neuralpedal.cli.signal_handlers import handled
from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device.action import Action
from neuralpedal.device.audio_device import CLOSE_S, AudioStream
from neuralpedal.device.audio_pulse import AudioPulse
from neuralpedal.device.controls.control_panel import ControlPanel
from neuralpedal.device.controls.keyboard import HELP_TEXT
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.xrun_storm import XrunStorm

_TURN_S, _ROW_S = 0.1, 1.0
_FADE_OUT_S = 1.0
_NEXT = Action("preset", "next")
_GONE_CLOSE_S = 0.2
"""How long a card that is gone may take to close: the next one waits for it."""


class LiveSession:
    """One stream and its pedal.

    SIGUSR1 plays the next preset, SIGUSR2 bypasses or does so no more: scripts and footswitches can send these.

    Args:
        seconds: how long to play; None: until SIGINT or SIGTERM.
        reopened: how often the card was opened before.

    Attributes:
        view: what is drawn, if anything. sounding: called now and then once blocks come.
        panel: footswitches, MIDI, keys and scripts, if any; listens while the session plays, and is closed by it.
    """

    def __init__(self, board: Pedalboard, stream: AudioStream, seconds: float | None = None,
                 log: LiveLog | None = None, reopened: int = 0) -> None:
        self.view: LiveView | None = None
        self.panel: ControlPanel | None = None
        self.sounding: Callable[[], None] | None = None
        self._reopened, self._storm = reopened, XrunStorm(reopened)
        self._board, self._pedal, self._stream, self._seconds, self._log = board, board.pedal, stream, seconds, log
        self._stopping, self._presses, self._answered = False, 0, 0
        self._second = self._pedal.meter.read()
        self._levels = self._second
        self._overloads, self._played_s = 0, 0.0
        self._health = LiveHealth(self._pedal.meter, stream.latency_ms)

    def play(self) -> None:
        """Play until it is time; then fade out and close the stream.

        Raises:
            AudioDeviceError: the card is gone, gives no blocks any more, or has lost a quarter of them for seconds.
        """
        patience_s = _GONE_CLOSE_S
        try:
            handlers = {signal.SIGINT: self._stop, signal.SIGTERM: self._stop, signal.SIGUSR1: self._press_next,
                        signal.SIGUSR2: self._toggle_bypass}
            with handled(handlers), quick_threads():
                try:
                    self._stream.start()
                    if self.panel:
                        self.panel.start()
                    self._watch()
                finally:
                    # Before the fade, which a press must not undo, and while a signal still ends us in good order: the
                    # terminal must be given back.
                    if self.panel:
                        self.panel.close()
                self._fade_out()
            patience_s = CLOSE_S
        finally:
            self._stream.close(patience_s)

    def summary(self) -> str:
        """One line about what was played."""
        reading, overloads = self._pedal.meter.read(), self._pedal.guard.overloads
        late = f"{reading.late_blocks} late" if reading.late_blocks else "none late"
        more = f", overloads {overloads}" if overloads else ""
        faults = f", engine failures {reading.faults}" if reading.faults else ""
        return (f"played {self._played_s:.1f} s: {reading.blocks} blocks, {late}, xruns {xrun_text(reading)}"
                f"{more}{faults}")

    def stop(self) -> None:
        """End soon, from any thread."""
        self._stopping = True

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def _press_next(self, _number: int, _frame: FrameType | None) -> None:
        self._presses += 1

    def _toggle_bypass(self, _number: int, _frame: FrameType | None) -> None:
        self._pedal.bypassed = not self._pedal.bypassed

    def _play_next(self) -> None:
        """One press at a time: a handler itself may interrupt whoever holds the board."""
        if self._answered < self._presses:
            self._answered += 1
            if self.panel:
                self.panel.loop.deliver(_NEXT, "SIGUSR1")
            else:
                self._board.apply(_NEXT)

    def _watch(self) -> None:
        begun = self._row_s = time.monotonic()
        before = self._pedal.meter.blocks
        pulse = AudioPulse(self._stream, before)
        while not self._stopping:
            time.sleep(_TURN_S)
            now = time.monotonic()
            blocks = self._pedal.meter.blocks
            pulse.check(blocks)
            if self.sounding and blocks != before:
                self.sounding()
            self._played_s = now - begun
            self._tell(self._played_s, now)
            self._board.tend()
            self._play_next()
            if self._seconds is not None and now - begun >= self._seconds:
                return

    def _tell(self, seconds: float, now: float) -> None:
        meter, guard = self._pedal.meter, self._pedal.guard
        if now - self._row_s >= _ROW_S:
            self._row_s, self._second = now, meter.read(self._second.blocks)
            self._health.look(seconds)
            if self._log:
                self._log.write(seconds, self._second, {**self._state(), **self._health.log_fields()})
            if self._storm.note(self._second):
                raise AudioDeviceError("the sound card has lost a quarter of its blocks for "
                                       f"{self._storm.patience_s} s; it is opened anew")
        if guard.overloads != self._overloads:
            self._overloads = guard.overloads
            why = "failed" if guard.failed else f"was late {guard.limit} times in a row"
            warn(f"{seconds:.1f} s: the engine {why}; the clean guitar plays until it works again")
        if self.view:
            levels = meter.read(self._levels.blocks)
            if levels.new_blocks:
                self._levels = levels
            self.view.show(seconds, self._levels, self._second, "{preset}: {state}".format(**self._state()),
                           [*self._health.rows(), *self._tuner(), *self._controls()])

    def _state(self) -> dict[str, Any]:
        pedal = self._pedal
        return {"state": pedal.heard.value, "overloads": pedal.guard.overloads, "model": pedal.engine.manifest.name,
                "preset": self._board.preset.name, "reopened": self._reopened,
                **(self.panel.counts() if self.panel else {})}

    def _tuner(self) -> list[tuple[str, str]]:
        reading = self._board.tuner.reading()
        return [] if reading is None else [("tuner", tuner_text(reading))]

    def _controls(self) -> list[tuple[str, str]]:
        """Rows of the view about them."""
        if not self.panel:
            return []
        last = self.panel.loop.last or "nothing was asked yet"
        keys = [("keys", HELP_TEXT)] if self.panel.shows_help else []
        return [("last", last + (" (? shows the keys)" if self.panel.has_keys and not keys else "")), *keys]

    def _fade_out(self) -> None:
        self._pedal.muted = True
        end = time.monotonic() + _FADE_OUT_S
        while not self._pedal.is_silent and time.monotonic() < end:
            time.sleep(0.005)
        # The last silent block is still on its way to the card.
        time.sleep(min(0.2, 2e-3 * self._stream.latency_ms))
