"""The control thread: one thread that looks after every control and does what they ask for, one after the other.

It sleeps until an edge, a key, a script or a deadline wakes it. A source that fails is noted and left alone for a
while; no failure of it, or of what it asked for, reaches the music.
"""

import math
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from neuralpedal.contract.errors import ControlError, PedalError
from neuralpedal.device.action import Action
from neuralpedal.device.controls.action_queue import ActionQueue, Order
from neuralpedal.device.controls.source import IDLE_S, Source

_REST_S, _LONGEST_REST_S = 1.0, 30.0
_JOIN_S = 5.0
_FAILURES = (PedalError, ValueError, RuntimeError, OSError, ArithmeticError)


class ControlLoop:
    """See the module.

    Args:
        apply: does an action; raises PedalError where it cannot. tell: gets lines for people, from the control thread.
        clock: seconds.

    Attributes:
        actions: how many were done. refused: how many could not be. last: the last one and who asked, for people;
            empty before the first.
    """

    def __init__(self, apply: Callable[[Action], None], tell: Callable[[str], None],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._apply, self._tell, self._clock = apply, tell, clock
        self._queue = ActionQueue()
        self._sources: list[Source] = []
        self._due_s: dict[Source, float] = {}
        self._rest_s: dict[Source, float] = {}
        self.actions = self.refused = 0
        self.last = ""
        self._ends = False
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._thread = threading.Thread(target=self._run, name="controls", daemon=True)

    @property
    def dropped(self) -> int:
        """How many actions were dropped because 64 were waiting."""
        return self._queue.dropped

    def deliver(self, action: Action, source: str) -> bool:
        """Ask for an action, from any thread but the audio thread; False if it was dropped. Never waits."""
        return self.order(Order(action, source))

    def order(self, order: Order) -> bool:
        """As :meth:`deliver`, with an answer."""
        taken = self._queue.put(order)
        self.wake()
        return taken

    def wake(self) -> None:
        """Have everything looked at now, from any thread but the audio thread. Never waits."""
        # A pipe that is full wakes as well; one that is closed has nobody to wake.
        with suppress(OSError):
            os.write(self._writer, b"!")

    def add(self, source: Source) -> None:
        """Look after it as well; before :meth:`start`."""
        self._sources.append(source)

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and close all sources; a second time it does nothing."""
        self._ends = True
        self.wake()
        if self._thread.ident:
            self._thread.join(_JOIN_S)
        while self._sources:
            self._sources.pop().close()
        if self._writer >= 0:
            # The writing end first: an edge of a pin that is late finds nobody to wake.
            writer, self._writer = self._writer, -1
            os.close(writer)
            os.close(self._reader)

    def turn(self, woken: bool = True) -> float:
        """Tend the sources that are due, or all if woken; do all that waits. After how many seconds again."""
        for source in self._sources:
            if self._clock() >= self._due_s.get(source, 0.0) or (woken and source not in self._rest_s):
                self._tend(source)
        while (order := self._queue.take()) is not None:
            self._do(order)
        now_s = self._clock()
        return max(0.0, min((due_s - now_s for due_s in self._due_s.values()), default=IDLE_S))

    def _run(self) -> None:
        woken = True
        while not self._ends:
            wait_s = self.turn(woken)
            poll = select.poll()
            for number in (self._reader, *(number for source in self._sources for number in source.descriptors())):
                poll.register(number, select.POLLIN)
            # Rounded up: a thread that wakes before the deadline would only sleep again.
            woken = bool(poll.poll(math.ceil(1e3 * wait_s)))
            with suppress(OSError):
                os.read(self._reader, 4096)

    def _tend(self, source: Source) -> None:
        now_s = self._clock()
        try:
            self._due_s[source] = now_s + source.tend(now_s)
            self._rest_s.pop(source, None)
        except ControlError as error:
            rest_s = min(_LONGEST_REST_S, 2.0 * self._rest_s[source]) if source in self._rest_s else _REST_S
            if source not in self._rest_s:
                self._tell(f"{error}; the music goes on, and it is tried again")
            self._rest_s[source], self._due_s[source] = rest_s, now_s + rest_s

    def _do(self, order: Order) -> None:
        try:
            self._apply(order.action)
        except _FAILURES as error:
            self.refused += 1
            self.last = f"{order.source}: {order.action} (refused: {error})"
            answer: Exception | None = error
        else:
            self.actions += 1
            self.last = f"{order.source}: {order.action}"
            answer = None
        if order.answer:
            order.answer(answer)
