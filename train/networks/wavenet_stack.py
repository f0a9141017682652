"""A WaveNet's weights as Keras layers, and what it computes from a past and a block.

What it remembers is one array per track: the pasts of all its convolutions (see ReferenceWaveNet.past).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.wavenet import LEAKY_SLOPE, ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_weights import array_shapes, wavenet_weights
from neuralpedal.train.networks.recurrent_stack import States

Tensor = Any


class ConvArrayLayer(keras.layers.Layer):
    """The weights of one array; computes nothing by itself.

    Args:
        array: what it is made of. inputs: channels that it reads.
    """

    def __init__(self, array: ConvArray, inputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._array, self._inputs = array, inputs

    def build(self, input_shape: Any) -> None:
        """Create all weights, uniform within ±1/√inputs of their sums, biases included (PyTorch's convolutions)."""
        fan_in = 1
        for index, shape in enumerate(array_shapes(self._array, self._inputs)):
            # A bias follows the kernel whose inputs it shares.
            fan_in = math.prod(shape[:-1]) if len(shape) > 1 else fan_in
            limit = 1.0 / math.sqrt(fan_in)
            self.add_weight(name=f"weight_{index}", shape=shape,
                            initializer=keras.initializers.RandomUniform(-limit, limit))
        self.built = True


class WaveNetStack:
    """Arrays of one model, which owns them.

    Attributes:
        native: another op that does the whole network, from (x (B, T), past (B, S), weights (W,)) to (head (B, T),
            past afterwards); TensorFlow's own ops when None.
    """

    def __init__(self, spec: WaveNetSpec, layers: list[ConvArrayLayer]) -> None:
        self._spec, self._layers = spec, layers
        self._view: Callable[[Tensor], Tensor] = tf.convert_to_tensor
        self.native: Callable[..., tuple[Tensor, Tensor]] | None = None

    @property
    def weights(self) -> list[Any]:
        """All weights in the order of WaveNetWeights.arrays."""
        return [weight for layer in self._layers for weight in layer.weights]

    @property
    def matrices(self) -> list[Any]:
        """All weights but biases."""
        return [weight for weight in self.weights if len(weight.shape) > 1]

    def view_matrices(self, view: Callable[[Tensor], Tensor]) -> None:
        """Compute with ``view(kernel)``, of any shape with the outputs last, instead of every kernel."""
        self._view = view

    def zero_states(self, batch: Any) -> States:
        """The past that endless silence leaves, (batch, S)."""
        past = tf.numpy_function(self._rest, self.weights, tf.float32)
        return [(tf.repeat(past[tf.newaxis], batch, axis=0),)]

    def run(self, inputs: Tensor, states: States) -> tuple[Tensor, States]:
        """The output (B, T, 1) of ``inputs`` (B, T, 1) from ``states``, and the states afterwards; without skip."""
        arrays = [self._viewed(weight) for weight in self.weights]
        if self.native is not None:
            flat = tf.concat([tf.reshape(array, (-1,)) for array in arrays], axis=0)
            head, after = self.native(inputs[:, :, 0], states[0][0], flat)
            return head[:, :, tf.newaxis] * self._spec.head_scale, [(after,)]
        head, after = _Pass(self._spec, inputs, states[0][0], iter(arrays)).run()
        return head * self._spec.head_scale, [(after,)]

    def last_output(self, inputs: Tensor) -> Tensor:
        """The last output sample (B, 1) of ``inputs`` (B, T, 1), after endless silence."""
        return self.run(inputs, self.zero_states(tf.shape(inputs)[0]))[0][:, -1]

    def _viewed(self, weight: Any) -> Tensor:
        tensor = tf.convert_to_tensor(weight)
        return tensor if len(weight.shape) == 1 else self._view(tensor)

    def _rest(self, *arrays: np.ndarray) -> np.ndarray:
        return ReferenceWaveNet(wavenet_weights(self._spec, list(arrays))).past()


class _Pass:
    """One block in TensorFlow's ops, for machines without a compiler.

    Args:
        past: (B, S). arrays: all weights in order.
    """

    def __init__(self, spec: WaveNetSpec, inputs: Tensor, past: Tensor, arrays: Iterator[Tensor]) -> None:
        self._spec, self._condition, self._arrays = spec, inputs, arrays
        self._past, self._place = past, 0
        self._after: list[Tensor] = []

    def run(self) -> tuple[Tensor, Tensor]:
        """The last head (B, T, 1), and the past afterwards."""
        signal, head = self._condition, None
        for array in self._spec.arrays:
            signal, head = self._array(array, signal, head)
        return head, tf.concat(self._after, axis=1)

    def _array(self, array: ConvArray, signal: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
        c, take = array.channels, self._arrays
        signal = signal @ next(take)
        for dilation in array.dilations:
            kernel, bias, mixin, mix, mix_bias = (next(take) for _ in range(5))
            sums = self._convolve(signal, kernel, dilation) + bias + self._condition @ mixin
            activated = _ACTIVATIONS[array.activation](sums[..., :c])
            if array.gated:
                activated *= tf.sigmoid(sums[..., c:])
            head = activated if head is None else head + activated
            signal += activated @ mix + mix_bias
        head = self._convolve(head, next(take), 1)
        return signal, head + next(take) if array.head_bias else head

    def _convolve(self, signal: Tensor, kernel: Tensor, dilation: int) -> Tensor:
        """Causal, with the next piece of the past in front."""
        channels, span = signal.shape[-1], (kernel.shape[0] - 1) * dilation
        piece = self._past[:, self._place : self._place + channels * span]
        self._place += channels * span
        past = tf.transpose(tf.reshape(piece, (tf.shape(piece)[0], channels, span)), (0, 2, 1))
        track = tf.concat([past, signal], axis=1)
        last = track[:, tf.shape(track)[1] - span :]
        self._after.append(tf.reshape(tf.transpose(last, (0, 2, 1)), (tf.shape(piece)[0], channels * span)))
        return tf.nn.convolution(track, kernel, padding="VALID", dilations=dilation)


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": tf.tanh, "relu": tf.nn.relu, "leaky_relu": lambda sums: tf.nn.leaky_relu(sums, LEAKY_SLOPE),
}
