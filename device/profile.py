"""What one block costs, block by block."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.device.engine import Engine
from neuralpedal.device.stream import Report


@dataclass(frozen=True)
class BlockTimes:
    """Times of an engine's blocks.

    Attributes:
        us_per_block: microseconds, float64, one per block in the order played.
        block_size, sample_rate_hz: what gives a block's deadline.
    """

    us_per_block: NDArray[np.float64]
    block_size: int
    sample_rate_hz: int

    @property
    def deadline_us(self) -> float:
        """The time that a block lasts as sound: all of it is the budget."""
        return 1e6 * self.block_size / self.sample_rate_hz

    def percentile(self, share: float) -> float:
        """Microseconds that ``share`` percent of the blocks stay below or at."""
        return float(np.percentile(self.us_per_block, share))

    def summary(self) -> "ProfileSummary":
        """The figures of the report."""
        p50, p95, p99 = (self.percentile(share) for share in (50, 95, 99))
        deadline = self.deadline_us
        return ProfileSummary(
            blocks=len(self.us_per_block), block_size=self.block_size, sample_rate_hz=self.sample_rate_hz,
            deadline_us=deadline, us_per_block_p50=p50, us_per_block_p95=p95, us_per_block_p99=p99,
            us_per_block_max=float(np.max(self.us_per_block)), us_per_sample_p50=p50 / self.block_size,
            budget_used_p50=p50 / deadline, budget_used_p99=p99 / deadline,
            blocks_late=int(np.sum(self.us_per_block > deadline)),
            real_time_factor=float(np.mean(self.us_per_block)) / deadline,
        )


@dataclass(frozen=True)
class ProfileSummary:
    """Flat figures, JSON keys as named.

    Attributes:
        budget_used_p50, budget_used_p99: share of the block's own duration (1.0: the whole deadline).
        blocks_late: blocks that took longer than they last.
        real_time_factor: processing time over audio time, mean; below 1 keeps up, smaller is better.
    """

    blocks: int
    block_size: int
    sample_rate_hz: int
    deadline_us: float
    us_per_block_p50: float
    us_per_block_p95: float
    us_per_block_p99: float
    us_per_block_max: float
    us_per_sample_p50: float
    budget_used_p50: float
    budget_used_p99: float
    blocks_late: int
    real_time_factor: float

    def as_dict(self) -> dict[str, Any]:
        """The figures under their JSON keys."""
        return asdict(self)


def profile(engine: Engine, seconds: float, report: Report | None = None, seed: int = 0) -> BlockTimes:
    """Time ``seconds`` of audio (seeded noise at −20 dBFS: no shortcut through silence) after a prewarm.

    Each block is fresh memory written before the run, so that no two blocks share a page. At least 16 blocks.
    """
    blocks = max(16, round(seconds * engine.sample_rate_hz / engine.block_size))
    # At most a minute of different noise is kept; longer runs go round.
    distinct = min(blocks, max(1, 60 * engine.sample_rate_hz // engine.block_size))
    noise = np.random.default_rng(seed).normal(0.0, 0.1, (distinct, engine.block_size)).astype(np.float32)
    return time_blocks(engine, noise, blocks, report)


def time_blocks(engine: Engine, source: NDArray[np.float32], blocks: int, report: Report | None = None) -> BlockTimes:
    """Play rows of ``source`` (n, block_size) in turn for ``blocks`` blocks and time each call."""
    wet = np.zeros(engine.block_size, np.float32)
    nanoseconds = np.zeros(blocks, np.int64)
    clock, rows = time.perf_counter_ns, len(source)
    engine.prewarm(0.05)
    for index in range(blocks):
        dry = source[index % rows]
        begun = clock()
        engine.process(dry, wet)
        nanoseconds[index] = clock() - begun
        if report and index % 1024 == 0:
            report(index / blocks)
    if report:
        report(1.0)
    return BlockTimes(nanoseconds / 1e3, engine.block_size, engine.sample_rate_hz)
