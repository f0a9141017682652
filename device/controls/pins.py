"""The pins of a Raspberry Pi, by gpiozero: the one file that knows what that library raises.

gpiozero takes its pins from lgpio, RPi.GPIO or pigpio, or from nowhere: ``GPIOZERO_PIN_FACTORY=mock`` plays with pins
that do not exist.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neuralpedal.contract.errors import ControlError
from neuralpedal.device.controls.library import library, reason_of


def gpiozero() -> Any:
    """The library. Raises ControlError."""
    return library("gpiozero", "gpiozero", "pins", "gpio", "footswitch, led, encoder and knob")


@contextmanager
def pin_errors(name: str) -> Iterator[None]:
    """What goes wrong with pins is a ControlError that names the control."""
    try:
        yield
    except _failures() as error:
        raise ControlError(f"{name}: {reason_of(error)}; check the pin's number (BCM, as in docs/controls.md), that "
                           "nothing else has it, and that this is a Raspberry Pi (GPIOZERO_PIN_FACTORY=mock does "
                           "without)") from error


def _failures() -> tuple[type[BaseException], ...]:
    found = [gpiozero().GPIOZeroError, OSError, ValueError]
    lgpio = sys.modules.get("lgpio")
    if lgpio is not None:
        found.append(lgpio.error)
    return tuple(found)
