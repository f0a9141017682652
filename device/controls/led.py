"""The light beside the footswitch: what the pedal does, seen from above in the dark.

On: the model is heard. Off: bypassed. Two blinks a second: muted. Eight: the model was taken out, because it was late
or failed, and the clean guitar plays instead.
"""

from collections.abc import Callable

from neuralpedal.device.controls.pins import gpiozero, pin_errors
from neuralpedal.device.pedal import Heard

_BLINKS_HZ = {Heard.MUTED: 2.0, Heard.OVERLOAD: 8.0, Heard.FAILURE: 8.0}
_LOOK_S = 0.03


def is_lit(heard: Heard, now_s: float) -> bool:
    """Whether a light that says so is lit now."""
    rate_hz = _BLINKS_HZ.get(heard)
    return heard == Heard.EFFECT if rate_hz is None else int(2.0 * rate_hz * now_s) % 2 == 0


class Led:
    """Args: pin: BCM number, with a resistor to the LED and ground. heard: of the pedal."""

    def __init__(self, name: str, pin: int, heard: Callable[[], Heard]) -> None:
        self.name, self._heard, self._lit = name, heard, False
        with pin_errors(name):
            self._device = gpiozero().LED(pin)

    def descriptors(self) -> list[int]:
        """None."""
        return []

    def tend(self, now_s: float) -> float:
        """Light it or not."""
        lit = is_lit(self._heard(), now_s)
        if lit != self._lit:
            with pin_errors(self.name):
                self._device.value = lit
            self._lit = lit
        return _LOOK_S

    def close(self) -> None:
        """Dark, and the pin given back."""
        self._device.close()
