"""A part of the signal path that can be taken in and out while it plays."""

from abc import ABC, abstractmethod

import numpy as np

from neuralpedal.device.engine import Block
from neuralpedal.device.ramp import Ramp, mix


class Stage(ABC):
    """One effect on a stream of blocks.

    Attributes:
        memory_samples: how much of the past its answer depends on, as far as anybody hears.
    """

    memory_samples = 0

    @abstractmethod
    def process(self, dry: Block, wet: Block) -> None:
        """Play one block: reads ``dry`` (block_size,), writes ``wet`` (block_size,); they may be the same array."""

    @abstractmethod
    def reset(self) -> None:
        """Forget what was played. Real-time safe."""


class Insert:
    """A stage and its switch. Out of the path it rests; before it comes in, it hears as much as it remembers.

    Attributes:
        enabled: whether the stage is to be heard. Any thread may set it.
    """

    def __init__(self, stage: Stage, enabled: bool, block_size: int, fade: int) -> None:
        self.stage, self.enabled = stage, enabled
        self._fade = fade
        self._mix = Ramp(float(enabled), block_size)
        self._wet = np.zeros(block_size, np.float32)
        self._listening_blocks = -(-stage.memory_samples // block_size)
        self._heard_blocks = self._listening_blocks if enabled else 0

    @property
    def rests(self) -> bool:
        """Whether the stage has nothing to do."""
        return not self.enabled and self._mix.value == 0.0

    def process(self, block: Block) -> None:
        """``block`` (block_size,) through the stage, in place. Real-time safe."""
        enabled = self.enabled
        if not enabled and self._mix.value == 0.0:
            self._heard_blocks = 0
            return
        if enabled and self._mix.value == 0.0 and self._heard_blocks < self._listening_blocks:
            if not self._heard_blocks:
                self.stage.reset()
            self._heard_blocks += 1
            self.stage.process(block, self._wet)
            return
        self._mix.aim(1.0 if enabled else 0.0, self._fade)
        factors = self._mix.advance()
        if factors is None:
            self.stage.process(block, block)
            return
        self.stage.process(block, self._wet)
        mix(block, self._wet, factors, out=block)

    def reset(self) -> None:
        """Forget what was played, and stand where the switch stands. Not while it plays."""
        self.stage.reset()
        self._mix.jump(float(self.enabled))
        self._heard_blocks = self._listening_blocks if self.enabled else 0
