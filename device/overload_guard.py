"""Decides when an engine that cannot keep up is taken out, and when it may try again.

A block that is late is a gap in the sound. A single one has many causes; many in a row have one: the engine is too
slow. Then the clean guitar is better than gaps. The audio thread counts and gives up; whether the engine has become
fast enough is tried beside the music, on another thread, because a trial in the music would be heard.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from neuralpedal.device.engine import Engine

_PATIENCE_MS, _MIN_LATE_BLOCKS = 10.0, 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_PROBATION_S = 5.0
_TRIAL_S = 0.25
_TRIAL_SHARE, _TRIAL_PERCENTILE = 0.8, 90

ENGINE_FAILURES = (ValueError, RuntimeError, OSError, ArithmeticError)
"""What engines raise when they cannot play a block."""


class OverloadGuard:
    """One engine's.

    Args:
        block_size, sample_rate_hz: of the stream.
        late_blocks: so many in a row are too many; 0: never; None: 10 ms of them, and 3 at least.
        clock: seconds.

    Attributes:
        trusted: whether the engine shall sound. Written by both threads: the audio thread only makes it False, the
            other only True.
        overloads: how often it was taken out. failed: the last time because it could not play, not because it was late.
    """

    def __init__(self, block_size: int, sample_rate_hz: int, late_blocks: int | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._block_s = block_size / sample_rate_hz
        usual = max(_MIN_LATE_BLOCKS, math.ceil(_PATIENCE_MS * 1e-3 / self._block_s))
        self.limit = usual if late_blocks is None else late_blocks
        self._clock = clock
        self.trusted, self.failed, self.overloads = True, False, 0
        self._late_in_a_row, self._pause_s = 0, _FIRST_PAUSE_S
        self._since_s = self._tried_s = clock()

    def note(self, late: bool) -> None:
        """After each block in which the engine played. Real-time safe."""
        self._late_in_a_row = self._late_in_a_row + 1 if late else 0
        if self.trusted and 0 < self.limit <= self._late_in_a_row:
            self._give_up(False)

    def note_failure(self) -> None:
        """The engine raised an error, or its answer is no sound. Real-time safe."""
        if self.trusted:
            self._give_up(True)

    def is_due(self) -> bool:
        """Whether the engine is out and it is time for a trial. Not real-time safe."""
        return not self.trusted and self._clock() - self._tried_s >= self._pause_s

    def try_again(self, engine: Engine) -> bool:
        """Play a quarter of a second of silence beside the music; trust the engine if it keeps up. Not real-time safe.

        The engine must not be playing. It is left as after a prewarm. A trial that fails doubles the pause before the
        next, up to half a minute.
        """
        self._tried_s = self._clock()
        if self._keeps_up(engine):
            self._since_s, self._late_in_a_row, self.failed = self._clock(), 0, False
            self.trusted = True
        else:
            self._pause_s = min(_LONGEST_PAUSE_S, 2.0 * self._pause_s)
        return self.trusted

    def _give_up(self, failed: bool) -> None:
        now = self._clock()
        # Out again soon after a trial that went well: trials say little here, so make them rarer.
        again = self.overloads > 0 and now - self._since_s < _PROBATION_S
        self._pause_s = min(_LONGEST_PAUSE_S, 2.0 * self._pause_s) if again else _FIRST_PAUSE_S
        self._tried_s, self.failed, self._late_in_a_row = now, failed, 0
        self.overloads += 1
        self.trusted = False

    def _keeps_up(self, engine: Engine) -> bool:
        silence, wet = np.zeros(engine.block_size, np.float32), np.empty(engine.block_size, np.float32)
        busy_s = np.zeros(max(16, math.ceil(_TRIAL_S / self._block_s)))
        try:
            engine.reset()
            for index in range(len(busy_s)):
                begun = self._clock()
                engine.process(silence, wet)
                busy_s[index] = self._clock() - begun
        except ENGINE_FAILURES:
            return False
        fast = np.percentile(busy_s, _TRIAL_PERCENTILE) <= _TRIAL_SHARE * self._block_s
        return bool(fast and np.all(np.isfinite(wet)))
