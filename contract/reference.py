"""The slow, obvious network: NumPy, one sample after the other, in float64.

Everything faster is proved against it. Float64 because a reference must not argue about the order of float32 sums.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights

Float = NDArray[np.float64]


@dataclass
class CellState:
    """State of one LSTM layer: ``h`` and ``c``, each (..., H) float64."""

    h: Float
    c: Float


class ReferenceNetwork:
    """A streaming network that remembers its state between calls.

    Args:
        weights: the network.
        lanes: independent streams computed side by side (calibration uses many; playing uses one).
    """

    def __init__(self, weights: NetworkWeights, lanes: int = 1) -> None:
        self.weights = weights
        self.lanes = lanes
        self._layers = [_Float64Layer(layer) for layer in weights.layers]
        self._head = weights.head_kernel.astype(np.float64)[:, 0]
        self._head_bias = float(weights.head_bias[0])
        self.states: list[CellState] = []
        self.reset()

    def reset(self) -> None:
        """Back to zero state."""
        h = self.weights.spec.hidden_size
        self.states = [CellState(np.zeros((self.lanes, h)), np.zeros((self.lanes, h))) for _ in self._layers]

    def step(self, x: Float) -> Float:
        """One sample of every lane: x (lanes,) to y (lanes,)."""
        signal = x[:, np.newaxis]
        for layer, state in zip(self._layers, self.states, strict=True):
            layer.step(signal, state)
            signal = state.h
        # A sum of products instead of a matrix product: the result must not depend on how BLAS blocks it.
        y = np.sum(signal * self._head, axis=1) + self._head_bias
        return y + x if self.weights.spec.skip else y

    def process(self, samples: NDArray[np.float32]) -> Float:
        """Stream (T,) samples through lane 0, or (lanes, T) through all; same shape back, float64."""
        x = np.atleast_2d(samples).astype(np.float64)
        y = np.empty_like(x)
        for t in range(x.shape[1]):
            y[:, t] = self.step(x[:, t])
        return y.reshape(np.shape(samples))


class _Float64Layer:
    """Weights of one layer in float64, ready for steps.

    One tanh serves all four gates, because sigmoid(x) = ½·tanh(½·x) + ½: the halves are exact scalings.
    """

    def __init__(self, weights: RecurrentWeights) -> None:
        h = weights.hidden_size
        # Rows of inputs and state under one another: one matrix product per step.
        self._matrix = np.vstack([weights.kernel, weights.recurrent_kernel]).astype(np.float64)
        self._bias = weights.bias.astype(np.float64)
        half = np.full(4 * h, 0.5)
        half[2 * h : 3 * h] = 1.0
        self._scale, self._offset = half, 1.0 - half
        self._size = h

    def step(self, x: Float, state: CellState) -> None:
        """Advance ``state`` by one sample: x is (lanes, inputs)."""
        h = self._size
        gates = np.concatenate((x, state.h), axis=1) @ self._matrix + self._bias
        activated = np.tanh(gates * self._scale) * self._scale + self._offset
        i, f, g, o = activated[:, :h], activated[:, h : 2 * h], activated[:, 2 * h : 3 * h], activated[:, 3 * h :]
        state.c = f * state.c + i * g
        state.h = o * np.tanh(state.c)
