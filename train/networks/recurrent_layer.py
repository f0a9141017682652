"""What all recurrent layers share: Keras's weights, a whole sequence at once, a state to go on from.

A layer is what ``keras.layers.LSTM``, ``GRU`` or ``SimpleRNN`` is by another route; only how the sequence is computed
differs, and that is the one method that a kind of layer adds.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from neuralpedal.contract.spec import Family

Tensor = Any
State = tuple[Tensor, ...]
"""Arrays (B, H), the hidden state first; an LSTM's second is its cell."""


class RecurrentLayer(keras.layers.Layer):
    """A recurrent layer over (B, T, C) float32 that returns every hidden state (B, T, H).

    Args:
        units: hidden size H.
        lanes: parts of the batch that may run on different cores, where the layer's op itself runs on one.

    Attributes:
        matrix_view: what the layer computes with instead of each weight matrix; the matrix itself unless training
            simulates a coarser format.
        native: another op that does the whole sequence, from (x, *state, kernel, recurrent kernel, bias) to (h of every
            step, *last state), and with a head (H, 1) as last argument to (its product with every h, *last state);
            TensorFlow's own ops when None.
    """

    family: Family
    bias_initializer: Any = "zeros"

    def __init__(self, units: int, lanes: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.lanes = lanes
        self.matrix_view: Callable[[Tensor], Tensor] = tf.convert_to_tensor
        self.native: Callable[..., tuple[Tensor, ...]] | None = None

    def build(self, input_shape: Any) -> None:
        """Create kernel (C, G·H), recurrent_kernel (H, G·H) and bias (G·H,) or (2, G·H), as Keras's own layer does."""
        h, columns = self.units, len(self.family.gates) * self.units
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], columns), initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight(name="recurrent_kernel", shape=(h, columns), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=self.family.bias_shape(h), initializer=self.bias_initializer)

    def zero_state(self, batch: Any) -> State:
        """Zeros for every array of the state, each (batch, H)."""
        return (tf.zeros((batch, self.units)),) * len(self.family.state)

    def call(self, inputs: Tensor, initial_state: State | None = None) -> Tensor:
        """Hidden states of the whole sequence, from ``initial_state`` or zeros."""
        return self.run(inputs, initial_state)[0]

    def run(self, inputs: Tensor, initial_state: State | None = None) -> tuple[Tensor, ...]:
        """As :meth:`call`, and the last state's arrays, each (B, H), to go on from."""
        inputs = tf.convert_to_tensor(inputs)
        state = self.zero_state(tf.shape(inputs)[0]) if initial_state is None else initial_state
        if self.native is not None:
            return self.native(inputs, *state, *self._viewed(), self.bias)
        return self._sequence(inputs, tuple(map(tf.convert_to_tensor, state)), *self._viewed())

    def run_with_head(self, inputs: Tensor, initial_state: State, head: Tensor) -> tuple[Tensor, ...]:
        """As :meth:`run`, but each hidden state times ``head`` (H, 1) instead of the hidden state: (B, T, 1)."""
        if self.native is None:
            hidden, *last = self.run(inputs, initial_state)
            return (hidden @ head, *last)
        return self.native(inputs, *initial_state, *self._viewed(), self.bias, head)

    @abstractmethod
    def _sequence(self, inputs: Tensor, state: State, kernel: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        """Hidden states (B, T, H) of ``inputs`` (B, T, C), and the last state's arrays."""

    def _viewed(self) -> tuple[Tensor, Tensor]:
        return (self.matrix_view(tf.convert_to_tensor(self.kernel)),
                self.matrix_view(tf.convert_to_tensor(self.recurrent_kernel)))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """(B, T, H)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Keras configuration."""
        return {**super().get_config(), "units": self.units, "lanes": self.lanes}
