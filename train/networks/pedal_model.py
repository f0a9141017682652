"""The Keras model of a recurrent pedal: recurrent layers, a linear head, and the input added to the output; with dense
layers that bend before and behind the recurrent ones where a network has some.

A family decides what the layers are made of and how they are fed; all else is the same for every network.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.arithmetic import LayerArithmetic
from neuralpedal.contract.initial_state import as_lists, checked_initial_state
from neuralpedal.contract.spec import NetworkSpec, make_spec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.native.grids import NO_GRIDS
from neuralpedal.train.native.recurrent_op import native_recurrent
from neuralpedal.train.networks.dense_chain import DenseChain
from neuralpedal.train.networks.framing import Framing
from neuralpedal.train.networks.fused_lstm import FusedLSTM
from neuralpedal.train.networks.gru_layer import GruLayer
from neuralpedal.train.networks.network_model import NetworkModel
from neuralpedal.train.networks.recurrent_layer import RecurrentLayer
from neuralpedal.train.networks.recurrent_stack import RecurrentStack, States
from neuralpedal.train.networks.rnn_layer import RnnLayer
from neuralpedal.train.networks.streaming import Streaming

LAYERS: dict[str, type[RecurrentLayer]] = {"lstm": FusedLSTM, "gru": GruLayer, "rnn": RnnLayer}
"""What builds a layer of each cell."""


@keras.saving.register_keras_serializable(package="neuralpedal")
class PedalModel(NetworkModel):
    """Recurrent layers and a head.

    Args:
        spec: what to build; a dict when Keras loads a file.
        lanes: parts of a batch that run on different cores.
        initial_state: what it begins in, see NetworkWeights; it is not trained. None for zero state.
    """

    def __init__(self, spec: NetworkSpec | dict[str, Any], lanes: int = 1,
                 initial_state: Sequence[Sequence[Any]] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spec = spec if isinstance(spec, NetworkSpec) else make_spec(**spec)
        self._initial_state = checked_initial_state(self.spec, initial_state)
        cell = self.spec.kind.cell
        self.recurrent = [LAYERS[cell](self.spec.hidden_size, lanes=lanes, name=f"{cell}_{index}")
                          for index in range(self.spec.num_layers)]
        self._front, self._bent = DenseChain(self.spec.front, "front"), DenseChain(self.spec.head, "bent")
        # Keras saves the layers that it finds in attributes.
        self.dense = [*self._front.layers, *self._bent.layers]
        self.head = keras.layers.Dense(1, name="head")
        self._stack = RecurrentStack(self.recurrent, self.head, self._front, self._bent)
        self._player = _choose_player(self.spec, self._stack)

    def build(self, input_shape: Any) -> None:
        """Create all weights; the shape is always (B, T, 1)."""
        for layer, size in zip(self.recurrent, self.spec.layer_input_sizes, strict=True):
            if not layer.built:
                layer.build((None, None, size))
                layer.built = True
        for chain, shapes in zip((self._front, self._bent), self.spec.dense_shapes, strict=True):
            chain.build(shapes)
        if not self.head.built:
            self.head.build((None, None, self.spec.sum_inputs))
        self.built = True

    def first_states(self, batch: Any) -> States:
        """States before the first sample of a track, as :meth:`zero_states`; zero but for a network with its own."""
        if self._initial_state is None:
            return self.zero_states(batch)
        return [tuple(tf.repeat(tf.constant(array)[tf.newaxis], batch, axis=0) for array in layer)
                for layer in self._initial_state]

    def use_native(self, arithmetics: Sequence[LayerArithmetic] | None = None) -> None:
        """Run the recurrent layers in compiled C, on each layer's grids if they are given.

        Raises KernelUnavailableError where that cannot be.
        """
        grids = arithmetics or [NO_GRIDS] * self.spec.num_layers
        ops = [native_recurrent(self.spec.kind.cell, size, self.spec.hidden_size, layer_grids)
               for size, layer_grids in zip(self.spec.layer_input_sizes, grids, strict=True)]
        for layer, op in zip(self.recurrent, ops, strict=True):
            layer.native = op

    def network_weights(self) -> NetworkWeights:
        """A copy of the weights as plain arrays. Raises ModelFileError when one is NaN."""
        layers = tuple(
            RecurrentWeights(*(np.array(weight, np.float32) for weight in
                               (layer.kernel, layer.recurrent_kernel, layer.bias)))
            for layer in self.recurrent
        )
        return NetworkWeights(self.spec, layers, np.array(self.head.kernel, np.float32),
                              np.array(self.head.bias, np.float32), self._initial_state, self._front.weights(),
                              self._bent.weights())

    def assign(self, weights: NetworkWeights) -> None:
        """Take over plain arrays."""
        self.build(None)
        for layer, arrays in zip(self.recurrent, weights.layers, strict=True):
            layer.set_weights([arrays.kernel, arrays.recurrent_kernel, arrays.bias])
        self._front.assign(weights.front)
        self._bent.assign(weights.head)
        self.head.set_weights([weights.head_kernel, weights.head_bias])
        self._initial_state = weights.initial_state

    def get_config(self) -> dict[str, Any]:
        """Keras configuration: the spec is all, but for a network that begins in a state of its own.

        Such a file is refused by versions that do not know of it: they would begin it otherwise.
        """
        beginning = {} if self._initial_state is None else {"initial_state": as_lists(self._initial_state)}
        return {"spec": self.spec.model_dump(mode="json"), "name": self.name, **beginning}


def _choose_player(spec: NetworkSpec, stack: RecurrentStack) -> Streaming | Framing:
    return Framing(stack, spec.frame_samples, spec.hidden_size) if spec.frame_samples else Streaming(stack)
