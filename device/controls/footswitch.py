"""A footswitch (or the push of an encoder) between a pin and ground."""

from collections.abc import Callable, Mapping

from neuralpedal.device.action import Action
from neuralpedal.device.controls.pins import gpiozero, pin_errors
from neuralpedal.device.controls.press import HOLD, Press
from neuralpedal.device.controls.source import IDLE_S, Deliver


class Footswitch:
    """See the module; gpiozero's thread only notes that the contact moved, the control thread decides what it was.

    Args:
        pin: its BCM number; pulled up, closed is low. actions: by event of :mod:`press`.
        wake: called when the contact moves.
    """

    def __init__(self, name: str, pin: int, actions: Mapping[str, Action], deliver: Deliver, wake: Callable[[], None],
                 settle_s: float, hold_s: float) -> None:
        self.name, self._actions, self._deliver, self._wake = name, actions, deliver, wake
        self._press = Press(settle_s, hold_s if HOLD in actions else None)
        self._edges = self._seen = 0
        with pin_errors(name):
            self._device = gpiozero().DigitalInputDevice(pin, pull_up=True)
            self._device.when_activated = self._device.when_deactivated = self._note_edge
        # A switch that is closed at the start was not pressed: it counts from when it is let go.
        self._ignores = bool(self._device.value)

    def descriptors(self) -> list[int]:
        """None: edges wake the control thread."""
        return []

    def tend(self, now_s: float) -> float:
        """Deliver what the contact came to."""
        with pin_errors(self.name):
            closed = bool(self._device.value)
        edges = self._edges
        if edges != self._seen:
            self._seen = edges
            self._press.bounced(now_s)
        if self._ignores:
            self._ignores = closed
            return IDLE_S
        self._press.note(closed, now_s)
        for event in self._press.events(now_s):
            if event in self._actions:
                self._deliver(self._actions[event], self.name)
        rest = self._press.next_s(now_s)
        return IDLE_S if rest is None else rest

    def close(self) -> None:
        """Give the pin back."""
        self._device.close()

    def _note_edge(self) -> None:
        self._edges += 1
        self._wake()
