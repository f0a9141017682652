"""The plainest recurrent layer, ``keras.layers.SimpleRNN``: one tanh, nothing that holds or forgets on purpose."""

from typing import Any

import keras
import tensorflow as tf

from neuralpedal.contract.spec import FAMILIES
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer, State
from neuralpedal.train.networks.sample_loop import over_samples

Tensor = Any


@keras.saving.register_keras_serializable(package="neuralpedal")
class RnnLayer(RecurrentLayer):
    """tanh(input + state); its state is (h,)."""

    family = FAMILIES["rnn"]

    def _sequence(self, inputs: Tensor, state: State, kernel: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        return over_samples(_step, inputs @ kernel + self.bias, *state, recurrent)


def _step(from_input: Tensor, hidden: Tensor, recurrent: Tensor) -> Tensor:
    return tf.tanh(from_input + hidden @ recurrent)
