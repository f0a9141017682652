"""Recurrent layers one on the other between dense ones, and the output's sum: what every family computes, however it is
fed."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from neuralpedal.train.networks.dense_chain import DenseChain
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer, State

Tensor = Any
States = list[State]
"""What a network remembers: a tuple of arrays, batch first, per layer (or one for the whole network)."""


class RecurrentStack:
    """Layers and head of one model, which owns them.

    Args:
        layers: first to last. head: the linear layer at the end. front, bent: dense layers before ``layers``, and
            between them and ``head``.
    """

    def __init__(self, layers: Sequence[RecurrentLayer], head: keras.layers.Dense, front: DenseChain,
                 bent: DenseChain) -> None:
        self.layers = layers
        self._head, self._front, self._bent = head, front, bent
        self._view: Callable[[Tensor], Tensor] = tf.convert_to_tensor

    @property
    def matrices(self) -> list[Any]:
        """All weight matrices; the other weights are biases."""
        return [*(matrix for layer in self.layers for matrix in (layer.kernel, layer.recurrent_kernel)),
                *self._front.matrices, *self._bent.matrices, self._head.kernel]

    def view_matrices(self, view: Callable[[Tensor], Tensor]) -> None:
        """Compute with ``view(matrix)`` instead of every weight matrix."""
        self._view = view
        for layer in self.layers:
            layer.matrix_view = view

    def zero_states(self, batch: Any) -> States:
        """Every layer's state of zeros."""
        return [layer.zero_state(batch) for layer in self.layers]

    def run(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The output (B, T, 1) of ``inputs`` (B, T, 1) from ``states``, and the states afterwards."""
        signal, after = self._front.run(inputs, self._view), []
        for layer, state in zip(self.layers[:-1], states[:-1], strict=True):
            signal, *last = layer.run(signal, state)
            after.append(tuple(last))
        if self._bent.layers:
            hidden, *last = self.layers[-1].run(signal, states[-1])
            signal = self._bent.run(hidden, self._view) @ self._head_matrix()
        else:
            signal, *last = self.layers[-1].run_with_head(signal, states[-1], self._head_matrix())
        return signal + self._head.bias, [*after, tuple(last)]

    def last_output(self, inputs: Tensor) -> Tensor:
        """The last output sample (B, 1) alone of ``inputs`` (B, T, 1), from zero state."""
        # With the head inside, the compiled kernel never writes all hidden states out; none but the last is wanted.
        _, states = self.run(inputs, self.zero_states(tf.shape(inputs)[0]))
        return self._bent.run(states[-1][0], self._view) @ self._head_matrix() + self._head.bias

    def _head_matrix(self) -> Tensor:
        return self._view(tf.convert_to_tensor(self._head.kernel))
