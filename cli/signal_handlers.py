"""Signals that are ours for a while."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


class HeldBack:
    """A handler that keeps signals, in their order, until there is somebody to handle them.

    Not by blocking them: threads of libraries that were started before would take them, and end the process.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self._numbers.append(number)

    def let_go(self, handlers: Mapping[signal.Signals, Handler]) -> None:
        """Hand on what was kept and has a handler now."""
        waiting, self._numbers = self._numbers, []
        for number in map(signal.Signals, waiting):
            if number in handlers:
                handlers[number](number, None)


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """Until the end of the ``with`` signals wait for a :func:`handled` inside; what nobody handles is dropped."""
    with handled(dict.fromkeys(numbers, HeldBack())):
        yield


@contextmanager
def handled(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handlers until the end of the ``with``; what was held back is handled at once.

    A process that ignores a signal goes on doing so. Nothing happens but in the main thread, the only one that may set
    them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in handlers}
    for number, old in kept.items():
        if old is not signal.SIG_IGN:
            signal.signal(number, handlers[number])
    try:
        for early in {id(old): old for old in kept.values() if isinstance(old, HeldBack)}.values():
            early.let_go(handlers)
        yield
    finally:
        for number, old in kept.items():
            signal.signal(number, old)


def end_quietly(_number: int, _frame: FrameType | None) -> None:
    """A handler for who has nothing to fade out or to save yet: exit code 0."""
    sys.exit()
