"""The recurrent cells in float64: weights in, one step at a time.

A state is a tuple of arrays, each (lanes, H), its first the hidden state that the next layer reads.
Source: Keras's LSTMCell, GRUCell (reset_after) and SimpleRNNCell, whose equations these are.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.spec import Family
from neuralpedal.contract.weights import RecurrentWeights

Float = NDArray[np.float64]
State = tuple[Float, ...]


class Cell(ABC):
    """One layer, ready for steps."""

    def __init__(self, weights: RecurrentWeights) -> None:
        self._size = weights.hidden_size

    @abstractmethod
    def step(self, x: Float, state: State) -> State:
        """The state after one sample: x is (lanes, inputs)."""


class LstmCell(Cell):
    """State (h, c).

    One tanh serves all four gates, because sigmoid(x) = ½·tanh(½·x) + ½: the halves are exact scalings.
    """

    def __init__(self, weights: RecurrentWeights) -> None:
        super().__init__(weights)
        h = self._size
        # Rows of inputs and state under one another: one matrix product per step.
        self._matrix = np.vstack([weights.kernel, weights.recurrent_kernel]).astype(np.float64)
        self._bias = weights.bias.astype(np.float64)
        half = np.full(4 * h, 0.5)
        half[2 * h : 3 * h] = 1.0
        self._scale, self._offset = half, 1.0 - half

    def step(self, x: Float, state: State) -> State:
        """See :class:`Cell`."""
        h, (hidden, cell) = self._size, state
        gates = np.concatenate((x, hidden), axis=1) @ self._matrix + self._bias
        activated = np.tanh(gates * self._scale) * self._scale + self._offset
        i, f, g, o = activated[:, :h], activated[:, h : 2 * h], activated[:, 2 * h : 3 * h], activated[:, 3 * h :]
        cell = f * cell + i * g
        return o * np.tanh(cell), cell


class GruCell(Cell):
    """State (h,); the reset gate acts on the state's matrix product, its bias included."""

    def __init__(self, weights: RecurrentWeights) -> None:
        super().__init__(weights)
        self._kernel, self._recurrent = (array.astype(np.float64) for array in (weights.kernel,
                                                                               weights.recurrent_kernel))
        self._input_bias, self._state_bias = weights.bias.astype(np.float64)

    def step(self, x: Float, state: State) -> State:
        """See :class:`Cell`."""
        h, (hidden,) = self._size, state
        from_input = x @ self._kernel + self._input_bias
        from_state = hidden @ self._recurrent + self._state_bias
        z, r = (0.5 * np.tanh(0.5 * (from_input[:, part] + from_state[:, part])) + 0.5
                for part in (slice(0, h), slice(h, 2 * h)))
        candidate = np.tanh(from_input[:, 2 * h :] + r * from_state[:, 2 * h :])
        return (z * hidden + (1.0 - z) * candidate,)


class RnnCell(Cell):
    """State (h,)."""

    def __init__(self, weights: RecurrentWeights) -> None:
        super().__init__(weights)
        self._matrix = np.vstack([weights.kernel, weights.recurrent_kernel]).astype(np.float64)
        self._bias = weights.bias.astype(np.float64)

    def step(self, x: Float, state: State) -> State:
        """See :class:`Cell`."""
        return (np.tanh(np.concatenate((x, state[0]), axis=1) @ self._matrix + self._bias),)


CELLS: dict[str, type[Cell]] = {"lstm": LstmCell, "gru": GruCell, "rnn": RnnCell}


def make_cell(family: Family, weights: RecurrentWeights) -> Cell:
    """The cell of a layer."""
    return CELLS[family.cell](weights)
