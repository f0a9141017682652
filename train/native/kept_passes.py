"""Forward passes whose backward pass may still come, by a number that TensorFlow carries from one to the other."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_KEPT = 8
"""Older ones are forgotten: they were validation or warm-up."""

History = TypeVar("History")


class KeptPasses(Generic[History]):
    """Histories of the last few forward passes.

    Args:
        release: what is done with a history that is forgotten.
    """

    def __init__(self, release: Callable[[History], None]) -> None:
        self._release = release
        self._histories: OrderedDict[int, History] = OrderedDict()
        self._count = 0

    def keep(self, history: History) -> int:
        """Remember a history; its number."""
        self._count += 1
        self._histories[self._count] = history
        while len(self._histories) > _KEPT:
            self._release(self._histories.popitem(last=False)[1])
        return self._count

    def take(self, number: int) -> History:
        """The history of a number, once."""
        return self._histories.pop(number)
