"""A rotary encoder on two pins: every detent turns a parameter up or down."""

from collections.abc import Callable

from neuralpedal.device.action import Action
from neuralpedal.device.controls.pins import gpiozero, pin_errors
from neuralpedal.device.controls.source import IDLE_S, Deliver


class Encoder:
    """gpiozero follows both contacts, which is what makes bounces harmless: a contact that bounces goes to and fro.

    Args:
        pins: of contacts A and B (BCM), common contact to ground. step: what one detent adds, in the parameter's unit.
    """

    def __init__(self, name: str, pins: tuple[int, int], parameter: str, step: float, deliver: Deliver,
                 wake: Callable[[], None]) -> None:
        self.name, self._parameter, self._step, self._deliver = name, parameter, step, deliver
        with pin_errors(name):
            self._device = gpiozero().RotaryEncoder(*pins, max_steps=0)
            self._device.when_rotated = wake
        self._done = 0

    def descriptors(self) -> list[int]:
        """None: detents wake the control thread."""
        return []

    def tend(self, now_s: float) -> float:
        """Deliver the detents since the last time as one turn."""
        steps = int(self._device.steps)
        if steps != self._done and self._deliver(Action("turn", self._parameter, (steps - self._done) * self._step),
                                                 self.name):
            self._done = steps
        return IDLE_S

    def close(self) -> None:
        """Give the pins back."""
        self._device.close()
