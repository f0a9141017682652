"""Dense layers that bend, one after the other, in front of the recurrent layers or behind them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.dense import DenseLayer, DenseWeights

Tensor = Any


class DenseChain:
    """Layers of a model, which owns them.

    Args:
        said: what they are. name: what Keras calls them, before their number.

    Attributes:
        layers: first to last.
    """

    def __init__(self, said: Sequence[DenseLayer], name: str) -> None:
        self.layers = [keras.layers.Dense(layer.units, activation=layer.activation, name=f"{name}_{index}")
                       for index, layer in enumerate(said)]

    def build(self, shapes: Sequence[tuple[int, int]]) -> None:
        """Create all weights; (inputs, units) of each layer."""
        for layer, (inputs, _) in zip(self.layers, shapes, strict=True):
            if not layer.built:
                layer.build((None, None, inputs))

    @property
    def matrices(self) -> list[Any]:
        """All weight matrices."""
        return [layer.kernel for layer in self.layers]

    def run(self, signal: Tensor, view: Callable[[Tensor], Tensor]) -> Tensor:
        """From (…, inputs) to (…, units), with ``view(matrix)`` instead of every matrix."""
        for layer in self.layers:
            signal = layer.activation(signal @ view(tf.convert_to_tensor(layer.kernel)) + layer.bias)
        return signal

    def weights(self) -> tuple[DenseWeights, ...]:
        """A copy as plain arrays."""
        return tuple(DenseWeights(np.array(layer.kernel, np.float32), np.array(layer.bias, np.float32))
                     for layer in self.layers)

    def assign(self, weights: Sequence[DenseWeights]) -> None:
        """Take over plain arrays."""
        for layer, arrays in zip(self.layers, weights, strict=True):
            layer.set_weights([arrays.kernel, arrays.bias])
