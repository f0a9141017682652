"""The order in which the kernels for vectors read tables: a unit in each lane, its four gates beside one another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.firmware_bridge.vector_kernel import VectorKernel

Numbers = NDArray[Any]
_ONES = np.ones(4, np.int64)


class LaneLayout:
    """Where the units of a layer go.

    Args:
        factors: by gate, what rows are multiplied with.

    Attributes:
        units: with those that fill up the last vector.
    """

    def __init__(self, hidden_size: int, kernel: VectorKernel, factors: Numbers = _ONES) -> None:
        self.kernel, self.units = kernel, -(-hidden_size // kernel.lanes) * kernel.lanes
        self._size, self._factors = hidden_size, factors

    def rows(self, matrix: Numbers) -> Numbers:
        """(inputs, 4·H) by gate to (inputs, groups, 4, lanes), with the factors."""
        inputs = len(matrix)
        filled = np.zeros((inputs, 4, self.units), np.result_type(matrix, self._factors))
        filled[:, :, : self._size] = matrix.reshape(inputs, 4, self._size) * self._factors[:, np.newaxis]
        return filled.reshape(inputs, 4, -1, self.kernel.lanes).transpose(0, 2, 1, 3)

    def states(self, matrix: Numbers) -> Numbers:
        """As :meth:`rows` of a matrix (H, 4·H) whose inputs are hidden states, with zeros for states that are none."""
        return self.rows(np.pad(matrix, ((0, self.units - len(matrix)), (0, 0))))

    def in_order(self, rows: Numbers) -> Numbers:
        """(units, groups, 4, lanes) as the kernel reads it."""
        units, groups, gates, lanes = rows.shape
        together = self.kernel.together
        if not self.kernel.int16_weights:
            return rows.reshape(units, groups // together, together, gates, lanes).transpose(1, 0, 2, 3, 4)
        pairs = rows.reshape(units // 2, 2, groups // together, together, gates, lanes)
        # Chunk, pair, group, gate; then lane by lane, but with four lanes state by state.
        return pairs.transpose((2, 0, 3, 4, 1, 5) if lanes == 4 else (2, 0, 3, 4, 5, 1))
