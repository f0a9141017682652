"""Signals that are ours for a while."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handled(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handlers until the end of the ``with``; a process that ignores a signal goes on doing so.

    Nothing happens but in the main thread, the only one that may set them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in handlers}
    for number, old in kept.items():
        if old is not signal.SIG_IGN:
            signal.signal(number, handlers[number])
    try:
        yield
    finally:
        for number, old in kept.items():
            signal.signal(number, old)
