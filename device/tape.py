"""Plays tracks to a card and records what comes back, sample against sample.

A track and its record share one count of samples, so that what lies between them is the way through driver, converters
and cable, and nothing else. The audio thread copies and counts; whoever waits looks at the counts.
"""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuralpedal.device.audio_pulse import AudioPulse, Card
from neuralpedal.device.block_meter import XRUN_FLAGS
from neuralpedal.device.engine import Block

Track = NDArray[np.float32]

_TURN_S = 0.02


class Tape:
    """One track and its record.

    Args:
        track: (T,); silence is played behind it up to ``tail_samples`` and the end of a block.

    Attributes:
        record: (at least T + tail_samples,), filled from its start on. blocks: played so far.
        xruns: blocks with lost audio. first_xrun: the sample at which the first was told, −1 without one.
    """

    def __init__(self, track: Track, block_size: int, tail_samples: int = 0) -> None:
        self._size, self._count = block_size, -(-(len(track) + tail_samples) // block_size)
        self._track = np.zeros(self._count * block_size, np.float32)
        self._track[: len(track)] = track
        self.record = np.zeros_like(self._track)
        self.blocks = self.xruns = 0
        self.first_xrun = -1

    @property
    def is_over(self) -> bool:
        """Whether all was played and recorded."""
        return self.blocks >= self._count

    @property
    def heard(self) -> Track:
        """What was recorded so far."""
        return self.record[: self.blocks * self._size]

    @property
    def share(self) -> float:
        """Of the whole, what was played."""
        return self.blocks / self._count

    def process(self, heard: Block, played: Block, flags: int) -> None:
        """One block. Real-time safe."""
        if self.blocks >= self._count:
            played[...] = 0.0
            return
        start = self.blocks * self._size
        played[...] = self._track[start : start + self._size]
        self.record[start : start + self._size] = heard
        if flags & XRUN_FLAGS:
            if not self.xruns:
                self.first_xrun = start
            self.xruns += 1
        # Last: whoever waits must not take a block that is half written.
        self.blocks += 1


class Playable(Protocol):
    """What a deck plays: a tape, or something else that ends."""

    @property
    def is_over(self) -> bool:
        """Whether the last block was played."""

    def process(self, heard: Block, played: Block, flags: int) -> None:
        """One block. Real-time safe."""


Played = TypeVar("Played", bound=Playable)


class TapeDeck:
    """What a stream calls block by block: plays the tape that is in it, silence without one."""

    def __init__(self) -> None:
        self._tape: Playable | None = None
        self.blocks = 0

    def process(self, heard: Block, played: Block, flags: int) -> None:
        """One block. Real-time safe."""
        tape = self._tape
        if tape is None:
            played[...] = 0.0
        else:
            tape.process(heard, played, flags)
        self.blocks += 1

    def play(self, card: Card, tape: Played, watch: Callable[[Played], bool] | None = None) -> None:
        """Play a tape to its end, or until ``watch``, asked some fifty times a second, says no. Not real-time safe.

        Raises:
            AudioDeviceError: the card is gone, or gives no blocks for three seconds.
        """
        self._tape = tape
        try:
            pulse = AudioPulse(card, self.blocks)
            while not tape.is_over and (watch is None or watch(tape)):
                time.sleep(_TURN_S)
                pulse.check(self.blocks)
        finally:
            self._tape = None
