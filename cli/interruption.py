"""Ctrl-C as a flag that a long loop reads, so that no press of it is lost.

Python raises KeyboardInterrupt wherever the main thread happens to be; raised inside a destructor or a callback of a
library it is printed and dropped, and the training goes on.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether Ctrl-C was pressed since the loop began."""

    def __init__(self) -> None:
        self.asked = False

    def check(self) -> None:
        """Once per turn of the loop: raises KeyboardInterrupt when Ctrl-C was pressed."""
        if self.asked:
            raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """The first Ctrl-C sets the flag, the second raises at once; afterwards the old handler is back.

    Only Python's own handler is replaced, and only in the main thread: a process that ignores SIGINT (one that a shell
    put in the background) or handles it in its own way goes on doing so.
    """
    interruption = Interruption()
    if (threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler):
        yield interruption
        return
    signal.signal(signal.SIGINT, interruption._handle)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
