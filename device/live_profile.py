"""What a model's blocks cost while a sound card asks for them; and which block size may be trusted.

The same work as `run` does, on the same thread, at the card's pace: so other programs, interrupts and the driver are in
the figures. The model hears noise at −20 dBFS instead of the guitar (silence could be cheaper), and nothing is played.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralpedal.device.block_meter import XRUN_FLAGS
from neuralpedal.device.engine import Block, Engine
from neuralpedal.device.overload_guard import OverloadGuard
from neuralpedal.device.pedal import Pedal
from neuralpedal.device.profile import BlockTimes

SAFE_SHARE = 0.5
RULE = ("safe is a size without a lost and without a late block whose p99 takes at most half of the block's time; "
        "recommended is the smallest safe one of which all larger ones measured are safe too")

_NOISE_ROWS, _NOISE_RMS = 1024, 0.1
_WARM_UP_S = 0.2


class LiveProbe:
    """Plays noise through a pedal for so many seconds, silently, and keeps what each block took.

    Args:
        engine: prewarmed; from now on only this probe may play it.
    """

    def __init__(self, engine: Engine, seconds: float, seed: int = 0) -> None:
        size, rate_hz = engine.block_size, engine.sample_rate_hz
        self._pedal = Pedal(engine, guard=OverloadGuard(size, rate_hz, late_blocks=0))
        self._noise = np.random.default_rng(seed).normal(0.0, _NOISE_RMS, (_NOISE_ROWS, size)).astype(np.float32)
        self._wet = np.zeros(size, np.float32)
        self._warm_up = max(1, round(_WARM_UP_S * rate_hz / size))
        self._busy_ns = np.zeros(max(16, round(seconds * rate_hz / size)), np.int64)
        self._format = size, rate_hz
        self.blocks = self.xruns = 0

    @property
    def is_over(self) -> bool:
        """Whether all blocks were played."""
        return self.blocks >= self._warm_up + len(self._busy_ns)

    @property
    def share(self) -> float:
        """Of the whole, what was played."""
        return self.blocks / (self._warm_up + len(self._busy_ns))

    def process(self, heard: Block, played: Block, flags: int) -> None:
        """One block. Real-time safe as far as the engine is."""
        begun = time.perf_counter_ns()
        played[...] = 0.0
        if self.is_over:
            return
        self._pedal.process(self._noise[self.blocks % _NOISE_ROWS], self._wet)
        index = self.blocks - self._warm_up
        if index >= 0:
            self._busy_ns[index] = time.perf_counter_ns() - begun
            self.xruns += bool(flags & XRUN_FLAGS)
        # Last: whoever waits must not take a block that is half written.
        self.blocks += 1

    def times(self) -> "LiveTimes":
        """Of the blocks behind the warm-up."""
        return LiveTimes(BlockTimes(self._busy_ns / 1e3, *self._format), self.xruns, self._pedal.meter.faults)


@dataclass(frozen=True)
class LiveTimes:
    """One block size. faults: blocks that the engine refused or answered with no sound."""

    times: BlockTimes
    xruns: int
    faults: int = 0

    @property
    def block_size(self) -> int:
        """Samples per block."""
        return self.times.block_size

    @property
    def is_safe(self) -> bool:
        """By ``RULE``."""
        summary = self.times.summary()
        return not (self.xruns or self.faults or summary.blocks_late) and summary.budget_used_p99 <= SAFE_SHARE


def recommended_block_size(measured: Sequence[LiveTimes]) -> int | None:
    """By ``RULE``; None where not even the largest is safe."""
    found = None
    for one in sorted(measured, key=lambda one: -one.block_size):
        if not one.is_safe:
            break
        found = one.block_size
    return found
