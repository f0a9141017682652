"""What every control has in common, so that one thread can look after all of them."""

from collections.abc import Callable
from typing import Protocol

from neuralpedal.device.action import Action

Deliver = Callable[[Action, str], bool]
"""Takes an action and the name of who asked, from any thread but the audio thread; False if it was dropped."""

IDLE_S = 1.0
"""How long a source that waits for nothing may be left alone."""


class Source(Protocol):
    """One control, tended by the control thread."""

    name: str

    def descriptors(self) -> list[int]:
        """File descriptors that are readable when there is something to do; they may change after a ``tend``."""
        ...

    def tend(self, now_s: float) -> float:
        """Do what is to be done; after how many seconds again at the latest. Never waits. Raises ControlError."""
        ...

    def close(self) -> None:
        """Give back what was taken. Raises nothing."""
        ...
