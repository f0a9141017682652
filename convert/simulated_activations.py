"""Sigmoid and tanh of many lanes, in place, as exact or as rough as a scheme has them.

One tanh or one table serves all gates, since tanh x = 2·sigmoid(2x) − 1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.arithmetic import Activations
from neuralpedal.contract.integer_activations import LARGEST_ARGUMENT, SIGMOID_ONE, STEPS_PER_UNIT, sigmoid_table

Float = NDArray[np.float64]

_Q15_STEPS = 2.0**15


class GateActivation:
    """sigmoid, or tanh of some columns, of arrays (lanes, columns) of one shape.

    Args:
        is_tanh: (columns,) bool.
    """

    def __init__(self, kind: Activations, lanes: int, is_tanh: NDArray[np.bool_]) -> None:
        self._in_q15 = kind == "q15"
        # sigmoid(x) = ½·tanh(½·x) + ½.
        self._scale = np.where(is_tanh, 1.0, 0.5)
        self._offset = 1.0 - self._scale
        # tanh(x) = 2·sigmoid(2·x) − 1.
        self._doubling = np.where(is_tanh, 2.0, 1.0)
        self._chords = _Chords((lanes, len(is_tanh))) if kind == "chords" else None

    def __call__(self, values: Float) -> None:
        """In place."""
        if self._chords:
            values *= self._doubling
            self._chords(values)
            values *= self._doubling
            values -= self._doubling - 1.0
            return
        values *= self._scale
        np.tanh(values, out=values)
        values *= self._scale
        values += self._offset
        if self._in_q15:
            values *= _Q15_STEPS
            np.rint(values, out=values)
            np.minimum(values, _Q15_STEPS - 1.0, out=values)
            values *= 1.0 / _Q15_STEPS


class _Chords:
    """The sigmoid of docs/integer-lstm.md, but for its last bit."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        nodes = sigmoid_table() / SIGMOID_ONE
        self._nodes, self._slopes = nodes[:-1], np.diff(nodes)
        self._last = len(self._nodes) - 1e-9
        self._intervals, self._work = np.empty(shape, np.int64), np.empty(shape)

    def __call__(self, values: NDArray[Any]) -> None:
        values += LARGEST_ARGUMENT
        values *= STEPS_PER_UNIT
        np.clip(values, 0.0, self._last, out=values)
        np.copyto(self._intervals, values, casting="unsafe")
        values -= self._intervals
        self._slopes.take(self._intervals, out=self._work, mode="clip")
        values *= self._work
        self._nodes.take(self._intervals, out=self._work, mode="clip")
        values += self._work
