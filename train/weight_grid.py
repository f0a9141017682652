"""Training on the grid of int8 weights, so that writing them as int8 later changes nothing.

Rounding a finished LSTM moves its output: a well trained one loses as much as its last minutes of training had
won. So the last part of training runs with every matrix already on the grid of the ``w8`` scheme (one scale per output
channel, ±127 steps); gradients pass through the rounding as if it were not there (straight-through estimator, Bengio
et al. 2013, arXiv:1308.3432). The network that is kept holds grid values, and ``convert`` finds the same grid again:
tests/test_weight_grid.py holds the two together.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from neuralpedal.contract.weights import GATES

Tensor = Any
View = Callable[[Tensor], Tensor]
"""A matrix as it is computed with."""

STEPS = 127
"""Steps from 0 to the largest weight of a channel."""


def on_grid(matrix: Tensor) -> Tensor:
    """``matrix`` (inputs, outputs), or a kernel (taps, inputs, outputs), rounded to the grids of its outputs.

    Its gradient is that of the identity.
    """
    scale = tf.reduce_max(tf.abs(matrix), axis=list(range(len(matrix.shape) - 1)), keepdims=True) / STEPS
    # A column of zeros has no grid and needs none.
    scale = tf.where(scale > 0, scale, tf.ones_like(scale))
    return matrix + tf.stop_gradient(tf.round(matrix / scale) * scale - matrix)


def on_gate_grids(matrix: Tensor) -> Tensor:
    """As :func:`on_grid` with one scale for all columns of an LSTM's gate; ``matrix`` is (inputs, 4H), or a head.

    The grid of TFLite's integer LSTM (scheme ``w8a8``).
    """
    inputs, columns = matrix.shape
    if columns == 1:
        return on_grid(matrix)
    by_gate = tf.transpose(tf.reshape(matrix, (inputs, len(GATES), -1)), (0, 2, 1))
    rounded = tf.reshape(on_grid(tf.reshape(by_gate, (-1, len(GATES)))), by_gate.shape)
    return tf.reshape(tf.transpose(rounded, (0, 2, 1)), (inputs, columns))


def snap(weights: list[np.ndarray], is_matrix: list[bool],
         view: View = on_grid) -> list[np.ndarray]:
    """A model's weights with every matrix on its grid (``NetworkModel.is_matrix``); biases stay as they are."""
    return [view(tf.constant(array)).numpy() if matrix else array
            for array, matrix in zip(weights, is_matrix, strict=True)]
