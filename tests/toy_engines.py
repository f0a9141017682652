"""Engines that are no networks, for tests of what lies around an engine."""

import time

import numpy as np

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.device.engine import Block, Engine

RATE_HZ = 48_000


class ToyEngine(Engine):
    """Soft clipping, with inverted polarity if not told otherwise: as far from the dry signal as a pedal gets.

    Attributes:
        busy_s: how long a block takes. answer: what it plays instead, if not None. error: what it raises, if not None.
        blocks: how many it played.
    """

    description = "toy"

    def __init__(self, block_size: int = 64, drive: float = -3.0, sample_rate_hz: int = RATE_HZ) -> None:
        self.manifest = Manifest(name="toy", scheme="float32", network=NetworkSpec(sample_rate_hz=sample_rate_hz))
        self.block_size, self._drive = block_size, drive
        self.busy_s, self.blocks = 0.0, 0
        self.answer: float | None = None
        self.error: Exception | None = None

    def process(self, dry: Block, wet: Block) -> None:
        """Clips, after working for ``busy_s``."""
        end = time.perf_counter() + self.busy_s
        self.blocks += 1
        if self.error is not None:
            raise self.error
        np.multiply(dry, self._drive, out=wet)
        np.tanh(wet, out=wet)
        if self.answer is not None:
            wet[-1] = self.answer
        while time.perf_counter() < end:
            pass

    def reset(self) -> None:
        """It has no state."""
