"""A GRU layer as ``keras.layers.GRU`` computes it by default: the reset gate acts after the matrix product."""

from typing import Any

import keras
import tensorflow as tf

from neuralpedal.contract.spec import FAMILIES
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer, State
from neuralpedal.train.networks.sample_loop import over_samples

Tensor = Any


@keras.saving.register_keras_serializable(package="neuralpedal")
class GruLayer(RecurrentLayer):
    """GRU; its state is (h,), its gates in columns are update, reset, candidate, its biases are input's and state's."""

    family = FAMILIES["gru"]

    def _sequence(self, inputs: Tensor, state: State, kernel: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        input_bias, state_bias = tf.unstack(tf.convert_to_tensor(self.bias))
        projected = inputs @ kernel + input_bias
        return over_samples(_step, projected, *state, recurrent, state_bias)


def _step(from_input: Tensor, hidden: Tensor, recurrent: Tensor, state_bias: Tensor) -> Tensor:
    h = hidden.shape[1]
    # Splits, whose gradient is one op; slices would each be filled up with zeros again.
    gates, candidate = tf.split(from_input, [2 * h, h], axis=1)
    state_gates, state_candidate = tf.split(hidden @ recurrent + state_bias, [2 * h, h], axis=1)
    update, reset = tf.split(tf.sigmoid(gates + state_gates), 2, axis=1)
    return update * hidden + (1.0 - update) * tf.tanh(candidate + reset * state_candidate)
