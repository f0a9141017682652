"""A potentiometer on an MCP3008, the ten-bit converter that gpiozero reads over SPI."""

from typing import Any

from neuralpedal.device.action import Action
from neuralpedal.device.controls.pins import gpiozero, pin_errors
from neuralpedal.device.controls.source import Deliver
from neuralpedal.device.controls.value_range import ValueRange

TOP = 1023
LOOK_S = 0.02
"""How often a knob is read: fifty times a second is quicker than a hand, and next to no work."""

HYSTERESIS = 4
"""Steps of 1,023 that a knob must move before it says anything: the converter's noise is one or two."""


class Knob:
    """Says nothing until it is moved, so that a preset sounds as it was saved; from then on it has the last word.

    Near either end it snaps to the end: many potentiometers never reach it.
    """

    def __init__(self, name: str, channel: int, select_pin: int, parameter: str, values: ValueRange,
                 deliver: Deliver) -> None:
        self.name, self._parameter, self._values, self._deliver = name, parameter, values, deliver
        with pin_errors(name):
            self._device: Any = gpiozero().MCP3008(channel=channel, select_pin=select_pin)
        self._sent: int | None = None

    def descriptors(self) -> list[int]:
        """None: a converter has to be asked."""
        return []

    def tend(self, now_s: float) -> float:
        """Deliver where the knob is, if it moved."""
        with pin_errors(self.name):
            found = _snapped(int(self._device.raw_value))
        if self._sent is None:
            self._sent = found
        if _has_moved(self._sent, found):
            action = Action("set", self._parameter, self._values.at(found / TOP))
            if self._deliver(action, self.name):
                self._sent = found
        return LOOK_S

    def close(self) -> None:
        """Give the SPI bus back."""
        self._device.close()


def _has_moved(sent: int, found: int) -> bool:
    if found in (0, TOP):
        return found != sent
    # To leave an end takes more than to reach it: noise must not snap to and fro.
    return abs(found - sent) > (2 if sent in (0, TOP) else 1) * HYSTERESIS


def _snapped(raw: int) -> int:
    if raw <= HYSTERESIS:
        return 0
    return TOP if raw >= TOP - HYSTERESIS else raw
