"""Training on the grid of int8 weights, so that writing them as int8 later changes nothing.

Rounding a finished LSTM moves its output: a well trained one loses as much as its last minutes of training had
won. So the last part of training runs with every matrix already on the grid of the ``w8`` scheme (one scale per output
channel, ±127 steps); gradients pass through the rounding as if it were not there (straight-through estimator, Bengio
et al. 2013, arXiv:1308.3432). The network that is kept holds grid values, and ``convert`` finds the same grid again:
tests/test_weight_grid.py holds the two together.
"""

from typing import Any

import numpy as np
import tensorflow as tf

Tensor = Any

STEPS = 127
"""Steps from 0 to the largest weight of a channel."""


def on_grid(matrix: Tensor) -> Tensor:
    """``matrix`` (inputs, outputs) rounded to its columns' grids; its gradient is that of the identity."""
    scale = tf.reduce_max(tf.abs(matrix), axis=0, keepdims=True) / STEPS
    # A column of zeros has no grid and needs none.
    scale = tf.where(scale > 0, scale, tf.ones_like(scale))
    return matrix + tf.stop_gradient(tf.round(matrix / scale) * scale - matrix)


def snap(weights: list[np.ndarray], is_matrix: list[bool]) -> list[np.ndarray]:
    """A model's weights with every matrix on its grid (``PedalModel.is_matrix``); biases stay as they are."""
    return [on_grid(tf.constant(array)).numpy() if matrix else array
            for array, matrix in zip(weights, is_matrix, strict=True)]
