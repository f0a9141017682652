"""The slow, obvious WaveNet: NumPy in float64, a tap at a time. Everything faster is proved against it."""

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.reference_cells import Float
from neuralpedal.contract.wavenet import LEAKY_SLOPE, ConvArray
from neuralpedal.contract.wavenet_weights import ConvArrayWeights, ConvLayerWeights, WaveNetWeights


class ReferenceWaveNet:
    """A network that remembers its past between calls; it begins as after endless silence.

    Attributes:
        weights: what it plays.
    """

    def __init__(self, weights: WaveNetWeights) -> None:
        self.weights = weights
        self._arrays = [_Array(spec, arrays)
                        for spec, arrays in zip(weights.spec.arrays, weights.arrays_of_layers, strict=True)]
        self.reset()

    def reset(self) -> None:
        """Back to where endless silence leaves it: every layer's past is what it makes of silence."""
        signal, head = np.zeros((1, 1)), None
        for array in self._arrays:
            signal, head = array.rest(signal, np.zeros((1, 1)), head)

    def past(self) -> NDArray[np.float32]:
        """What is remembered, (S,): array by array of every layer (C, span), then of the head (C, taps − 1)."""
        return np.concatenate([past for array in self._arrays for past in array.pasts()]).astype(np.float32)

    def head_signal(self, samples: NDArray[np.float32]) -> Float:
        """The last head (T,) of (T,) samples, before scale and skip."""
        condition = np.asarray(samples, np.float64)[:, np.newaxis]
        signal, head = condition, None
        for array in self._arrays:
            signal, head = array.process(signal, condition, head)
        assert head is not None
        return head[:, 0]

    def process(self, samples: NDArray[np.float32]) -> Float:
        """Stream (T,) samples; (T,) float64."""
        y = self.head_signal(samples) * self.weights.spec.head_scale
        return y + samples.astype(np.float64) if self.weights.spec.skip else y


class _Array:
    """Layers of one width, over signals (T, channels)."""

    def __init__(self, spec: ConvArray, weights: ConvArrayWeights) -> None:
        self._entry = weights.entry.astype(np.float64)
        self._layers = [_Layer(spec, dilation, layer)
                        for dilation, layer in zip(spec.dilations, weights.layers, strict=True)]
        self._head = _Convolution(weights.head, weights.head_bias, 1)

    def process(self, signal: Float, condition: Float, head: Float | None) -> tuple[Float, Float]:
        signal = signal @ self._entry
        total = np.zeros_like(signal) if head is None else head
        for layer in self._layers:
            signal, activated = layer.process(signal, condition)
            total = total + activated
        return signal, self._head.process(total)

    def pasts(self) -> list[Float]:
        """Of every layer, then of the head, channel by channel."""
        return [convolution.past.T.ravel() for convolution in (*(layer.convolution for layer in self._layers),
                                                               self._head)]

    def rest(self, signal: Float, condition: Float, head: Float | None) -> tuple[Float, Float]:
        """As :meth:`process` of one sample that has lasted for ever."""
        signal = signal @ self._entry
        total = np.zeros_like(signal) if head is None else head
        for layer in self._layers:
            layer.convolution.fill(signal)
            signal, activated = layer.process(signal, condition)
            total = total + activated
        self._head.fill(total)
        return signal, self._head.process(total)


class _Layer:
    def __init__(self, spec: ConvArray, dilation: int, weights: ConvLayerWeights) -> None:
        self._spec = spec
        self.convolution = _Convolution(weights.kernel, weights.bias, dilation)
        self._mixin, self._mix, self._mix_bias = (array.astype(np.float64) for array in
                                                  (weights.mixin, weights.mix, weights.mix_bias))

    def process(self, signal: Float, condition: Float) -> tuple[Float, Float]:
        """What goes on to the next layer, and the activations that go to the head: each (T, C)."""
        sums = self.convolution.process(signal) + condition @ self._mixin
        c = self._spec.channels
        activated = activate(self._spec.activation, sums[:, :c])
        if self._spec.gated:
            activated = activated * (0.5 * np.tanh(0.5 * sums[:, c:]) + 0.5)
        return signal + activated @ self._mix + self._mix_bias, activated


class _Convolution:
    """Dilated and causal; remembers the signal (T, inputs) that it will still need."""

    def __init__(self, kernel: NDArray[np.float32], bias: NDArray[np.float32] | None, dilation: int) -> None:
        self._kernel = kernel.astype(np.float64)
        self._bias = 0.0 if bias is None else bias.astype(np.float64)
        self._dilation = dilation
        self._span = (len(kernel) - 1) * dilation
        self.past = np.zeros((self._span, kernel.shape[1]))

    def fill(self, signal: Float) -> None:
        """The past is one sample (1, inputs), for ever."""
        self.past = np.repeat(signal, self._span, axis=0)

    def process(self, signal: Float) -> Float:
        track = np.concatenate([self.past, signal])
        self.past = track[len(track) - self._span :]
        sums: Float = sum(track[tap * self._dilation : tap * self._dilation + len(signal)] @ matrix
                          for tap, matrix in enumerate(self._kernel)) + self._bias
        return sums


def activate(activation: str, sums: Float) -> Float:
    """One of ``ACTIVATIONS``, element by element."""
    if activation == "tanh":
        activated: Float = np.tanh(sums)
        return activated
    return np.where(sums > 0.0, sums, sums * (LEAKY_SLOPE if activation == "leaky_relu" else 0.0))
