"""The pins of a Raspberry Pi, by gpiozero: the one file that knows what that library raises.

gpiozero takes its pins from lgpio, RPi.GPIO or pigpio, or from nowhere: ``GPIOZERO_PIN_FACTORY=mock`` plays with pins
that do not exist.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neuralpedal.contract.errors import ControlError


def gpiozero() -> Any:
    """The library. Raises ControlError."""
    try:
        return importlib.import_module("gpiozero")
    except ImportError as error:
        raise ControlError("controls want pins, but gpiozero is not installed; pip install 'neuralpedal[gpio]', or "
                           "take footswitch, led, encoder and knob out of pedal.yaml") from error


@contextmanager
def pin_errors(name: str) -> Iterator[None]:
    """What goes wrong with pins is a ControlError that names the control."""
    try:
        yield
    except _failures() as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ControlError(f"{name}: {reason}; check the pin's number (BCM, as in docs/controls.md), that nothing "
                           "else has it, and that this is a Raspberry Pi (GPIOZERO_PIN_FACTORY=mock does without)"
                           ) from error


def _failures() -> tuple[type[BaseException], ...]:
    found = [gpiozero().GPIOZeroError, OSError, ValueError]
    lgpio = sys.modules.get("lgpio")
    if lgpio is not None:
        found.append(lgpio.error)
    return tuple(found)
