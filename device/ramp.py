"""A factor that moves in a straight line, sample by sample: what makes every change of a setting free of clicks.

Straight, and no softer curve: of all that take the same time its steepest place is the least steep.
"""

import numpy as np
from numpy.typing import NDArray

Factors = NDArray[np.float32]

FADE_S = 0.020
"""How long a change of a setting takes."""


class Ramp:
    """One factor, advanced a block at a time by the audio thread.

    Args:
        value: where it stands. block_size: samples per block.

    Attributes:
        value: after the last block.
    """

    def __init__(self, value: float, block_size: int) -> None:
        self.value = float(value)
        self._goal, self._step, self._left = self.value, 0.0, 0
        self._counts = np.arange(1, block_size + 1, dtype=np.float32)
        self._factors = np.empty(block_size, np.float32)

    def aim(self, goal: float, samples: int) -> None:
        """Reach ``goal`` in ``samples``, from wherever it is now; the goal that it has already changes nothing.

        Real-time safe.
        """
        if goal != self._goal:
            self._goal, self._left = goal, samples
            self._step = (goal - self.value) / samples

    def jump(self, value: float) -> None:
        """Stand at ``value`` at once. Real-time safe."""
        self.value, self._goal, self._left = value, value, 0

    def advance(self) -> Factors | None:
        """The factors (block_size,) of the next block, valid until the next call; None if all of them are ``value``.

        Real-time safe.
        """
        if not self._left:
            return None
        factors, size = self._factors, len(self._factors)
        np.multiply(self._counts, self._step, out=factors)
        np.add(factors, self.value, out=factors)
        if self._left <= size:
            # Exactly the goal, whatever was rounded on the way.
            factors[self._left - 1 :] = self.value = self._goal
            self._left = 0
        else:
            self.value += self._step * size
            self._left -= size
        return factors

    def scale(self, block: NDArray[np.float32]) -> None:
        """Multiply ``block`` (block_size,) by the next factors, in place. Real-time safe."""
        factors = self.advance()
        if factors is not None:
            np.multiply(block, factors, out=block)
        elif self.value != 1.0:
            np.multiply(block, self.value, out=block)

    def scaled(self, block: NDArray[np.float32], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """``block`` times the next factors, in ``out``; ``block`` itself where they are 1, so that no sample changes.

        Real-time safe.
        """
        factors = self.advance()
        if factors is None and self.value == 1.0:
            return block
        np.multiply(block, self.value if factors is None else factors, out=out)
        return out

    def cross_over(self, block: NDArray[np.float32], other: NDArray[np.float32], samples: int) -> bool:
        """One block on the way from ``block`` (0) to ``other`` (1), in ``block``; ``other`` is used up.

        Args:
            samples: that the whole way takes.

        Returns:
            Whether the way is over. Real-time safe.
        """
        self.aim(1.0, samples)
        factors = self.advance()
        if factors is not None:
            mix(block, other, factors, out=block)
        return self.value == 1.0


def mix(block: NDArray[np.float32], other: NDArray[np.float32], factors: Factors, out: NDArray[np.float32]) -> None:
    """Sample by sample from ``block`` (factor 0) to ``other`` (1), in ``out``, which may be either of them.

    ``other`` is used up. Real-time safe.
    """
    np.subtract(other, block, out=other)
    np.multiply(other, factors, out=other)
    np.add(block, other, out=out)
