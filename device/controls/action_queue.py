"""What was asked and not done yet: the one way from every source to the thread that does it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from neuralpedal.device.action import Action

LIMIT = 64


@dataclass(frozen=True)
class Order:
    """One action on its way.

    Attributes:
        source: who asked, for people: ``footswitch 17``, ``midi cc 7``, ``key m``, ``ctl``.
        answer: is called with None when it was done, with the error when it could not be; None: nobody waits.
    """

    action: Action
    source: str
    answer: Callable[[Exception | None], None] | None = None


class ActionQueue:
    """First in, first out, bounded; nobody ever waits to put something in.

    A knob that is turned faster than the pedal follows does not fill it: ``set`` of the same parameter replaces the
    one before it if that waits at the end, and ``turn`` is added to it. What comes while the queue is full is dropped
    and counted, so that nothing old is lost and nothing is done later than it was meant.

    Attributes:
        dropped: how many orders were refused because it was full.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._orders: deque[Order] = deque()
        self._limit, self._lock = limit, threading.Lock()
        self.dropped = 0

    def put(self, order: Order) -> bool:
        """Take an order from any thread but the audio thread; False if it was dropped. Never waits for room."""
        with self._lock:
            last = self._orders[-1] if self._orders else None
            merged = _merged(last, order) if last else None
            if merged:
                self._orders[-1] = merged
                return True
            if len(self._orders) >= self._limit:
                self.dropped += 1
                return False
            self._orders.append(order)
            return True

    def take(self) -> Order | None:
        """The oldest order; None if there is none."""
        with self._lock:
            return self._orders.popleft() if self._orders else None


def _merged(old: Order, new: Order) -> Order | None:
    """Both orders in one, where that does the same."""
    same = (old.source, old.action.verb, old.action.target) == (new.source, new.action.verb, new.action.target)
    if not same or old.answer or new.answer or old.action.value is None or new.action.value is None:
        return None
    if new.action.verb == "set":
        return new
    return Order(Action("turn", new.action.target, old.action.value + new.action.value), new.source)
