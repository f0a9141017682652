"""A WaveNet played over many stretches of audio side by side, in float32: what it hears inside, and its gradients.

For ranges and for sensitivities, not for proofs. A stretch is as long as the receptive field and what counts behind it,
so that nothing has to be remembered: every convolution answers where it sees all of its past, and signals get
shorter from layer to layer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.wavenet import LEAKY_SLOPE, ConvArray
from neuralpedal.contract.wavenet_weights import ConvArrayWeights, ConvLayerWeights, WaveNetWeights
from neuralpedal.contract.weights import Array

Through = Callable[[str, Array], Array]
"""Is given every signal (lanes, T, C) by its name in contract/wavenet_plan.py, and answers what it becomes."""


@dataclass(frozen=True)
class LayerTape:
    """What a layer's gradient needs: signals (lanes, T, ·), the input longer than the others by the layer's span.

    Attributes:
        source: the layer's input. opened: its activation. slope: of the activation. gate: the sigmoid, 1 without one.
    """

    source: Array
    opened: Array
    slope: Array
    gate: Array | float


@dataclass(frozen=True)
class ArrayTape:
    """``read``: what the array was given. ``total``: what its head was."""

    read: Array
    layers: list[LayerTape]
    total: Array


def play_stretches(weights: WaveNetWeights, dry: Array, through: Through = lambda name, signal: signal
                   ) -> tuple[Array, list[ArrayTape]]:
    """The network's head (lanes, N), scaled, without skip, of stretches (lanes, receptive field − 1 + N); its tapes.

    ``through`` is given the last head as ``head``, scaled.
    """
    condition = through("dry", np.ascontiguousarray(dry, np.float32)[:, :, np.newaxis])
    signal, head, tapes = condition, None, []
    for index, (array, arrays) in enumerate(zip(weights.spec.arrays, weights.arrays_of_layers, strict=True)):
        signal, head, tape = _play_array(f"array{index}", array, arrays, signal, condition, head, through)
        tapes.append(tape)
    assert head is not None
    counted = dry.shape[1] - weights.spec.receptive_field + 1
    return through("head", head[:, -counted:] * np.float32(weights.spec.head_scale))[:, :, 0], tapes


def _play_array(name: str, spec: ConvArray, weights: ConvArrayWeights, read: Array, condition: Array,
                head: Array | None, through: Through) -> tuple[Array, Array, ArrayTape]:
    signal, total, tapes = through(f"{name}/signal", read @ weights.entry), head, []
    for layer, (dilation, arrays) in enumerate(zip(spec.dilations, weights.layers, strict=True)):
        tape = _play_layer(f"{name}/layer{layer}", spec, dilation, arrays, signal, condition, through)
        tapes.append(tape)
        activated = through(f"{name}/layer{layer}/gated", tape.opened * tape.gate) if spec.gated else tape.opened
        length = activated.shape[1]
        mixed = through(f"{name}/layer{layer}/mixed", activated @ arrays.mix + arrays.mix_bias)
        signal = through(f"{name}/layer{layer}/signal", signal[:, -length:] + mixed)
        if total is None:
            total = activated
        else:
            # The head of the array before may have more of a past than the signal.
            length = min(length, total.shape[1])
            total = through(f"{name}/layer{layer}/total", total[:, -length:] + activated[:, -length:])
    assert total is not None
    answer = convolve(total, weights.head, 1)
    if weights.head_bias is not None:
        answer = answer + weights.head_bias
    return signal, through(f"{name}/answer", answer), ArrayTape(read, tapes, total)


def _play_layer(name: str, spec: ConvArray, dilation: int, weights: ConvLayerWeights, signal: Array, condition: Array,
                through: Through) -> LayerTape:
    heard = through(f"{name}/heard", convolve(signal, weights.kernel, dilation) + weights.bias)
    mixed_in = through(f"{name}/mixed_in", condition[:, -heard.shape[1] :] @ weights.mixin)
    sums = through(f"{name}/sums", heard + mixed_in)
    opened, slope = _activate(spec.activation, sums[..., : spec.channels])
    gate = 0.5 * np.tanh(0.5 * sums[..., spec.channels :]) + np.float32(0.5) if spec.gated else 1.0
    return LayerTape(signal, through(f"{name}/activated", opened), slope, gate)


def convolve(signal: Array, kernel: Array, dilation: int) -> Array:
    """(lanes, span + T, inputs) to (lanes, T, outputs)."""
    length = signal.shape[1] - (len(kernel) - 1) * dilation
    sums: Array = sum(signal[:, tap * dilation : tap * dilation + length] @ matrix for tap, matrix in enumerate(kernel))
    return sums


def _activate(activation: str, sums: Array) -> tuple[Array, Array]:
    """An activation and its derivative."""
    if activation == "tanh":
        opened: Array = np.tanh(sums)
        return opened, np.float32(1.0) - opened * opened
    slope = np.where(sums > 0.0, np.float32(1.0), np.float32(LEAKY_SLOPE if activation == "leaky_relu" else 0.0))
    return sums * slope, slope


def stretch_gradients(weights: WaveNetWeights, tapes: list[ArrayTape], pull: Array) -> Array:
    """∂/∂weights of Σ_t pull[:, t]·head[:, t] (lanes, W), in the order of ``WaveNetWeights.arrays``."""
    # What the first array reads is the network's input.
    condition = tapes[0].read
    toward_answer: Array = (pull * np.float32(weights.spec.head_scale)).astype(np.float32)[:, :, np.newaxis]
    toward_signal: Array | None = None
    found: list[list[Array]] = []
    for spec, arrays, tape in zip(reversed(weights.spec.arrays), reversed(weights.arrays_of_layers), reversed(tapes),
                                  strict=True):
        pulled = _ArrayPull(spec, arrays, tape, condition)
        toward_answer, toward_signal = pulled.run(toward_answer, toward_signal)
        found.append(pulled.rows)
    lanes = len(pull)
    return np.concatenate([row.reshape(lanes, -1) for rows in reversed(found) for row in rows], axis=1)


class _ArrayPull:
    """Back through one array; ``rows``: the gradients of its arrays in order, each with the lanes in front."""

    def __init__(self, spec: ConvArray, weights: ConvArrayWeights, tape: ArrayTape, condition: Array) -> None:
        self._spec, self._weights, self._tape, self._condition = spec, weights, tape, condition
        self.rows: list[Array] = []

    def run(self, toward_answer: Array, toward_signal: Array | None) -> tuple[Array, Array]:
        """Toward the head that the array was given, and toward what it read."""
        weights, tape = self._weights, self._tape
        head = [_kernel_gradient(tape.total, toward_answer, len(weights.head), 1)]
        if weights.head_bias is not None:
            head.append(toward_answer.sum(axis=1))
        toward_total = _through_kernel(toward_answer, weights.head, 1)
        layers: list[Array] = []
        for layer in reversed(range(len(tape.layers))):
            toward_signal, rows = self._layer(layer, toward_total, toward_signal)
            layers = [*rows, *layers]
        assert toward_signal is not None
        self.rows = [_outer(tape.read[:, -toward_signal.shape[1] :], toward_signal), *layers, *head]
        return toward_total, toward_signal @ weights.entry.T

    def _layer(self, layer: int, toward_total: Array, toward_signal: Array | None) -> tuple[Array, list[Array]]:
        """Toward the layer's input, and the gradients of its arrays."""
        weights, tape, dilation = self._weights.layers[layer], self._tape.layers[layer], self._spec.dilations[layer]
        length = tape.opened.shape[1]
        activated, toward = tape.opened * tape.gate, _ended(toward_total, length)
        nothing = np.zeros((len(toward), 1, weights.mix.shape[1]), np.float32)
        passed = nothing if toward_signal is None else toward_signal
        mix = [_outer(activated[:, -passed.shape[1] :], passed), passed.sum(axis=1)]
        toward[:, -passed.shape[1] :] += passed @ weights.mix.T
        slopes = toward * tape.gate * tape.slope
        if self._spec.gated:
            gate_slopes = toward * tape.opened * tape.gate * (1.0 - tape.gate)
            slopes = np.concatenate([slopes, gate_slopes], axis=-1)
        rows = [_kernel_gradient(tape.source, slopes, len(weights.kernel), dilation), slopes.sum(axis=1),
                _outer(self._condition[:, -length:], slopes), *mix]
        back = _through_kernel(slopes, weights.kernel, dilation)
        back[:, -passed.shape[1] :] += passed
        return back, rows


def _ended(signal: Array, length: int) -> Array:
    """``signal`` as the end of silence of a length; a copy."""
    longer = np.zeros((len(signal), length, signal.shape[2]), np.float32)
    longer[:, -signal.shape[1] :] = signal
    return longer


def _outer(signal: Array, slopes: Array) -> Array:
    """Per lane Σ_t signal_t ⊗ slope_t, (lanes, inputs, outputs)."""
    return signal.transpose(0, 2, 1) @ slopes


def _kernel_gradient(source: Array, slopes: Array, taps: int, dilation: int) -> Array:
    length = slopes.shape[1]
    # Where fewer slopes than answers are given, they are the last ones.
    first = source.shape[1] - (taps - 1) * dilation - length
    return np.stack([_outer(source[:, first + tap * dilation : first + tap * dilation + length], slopes)
                     for tap in range(taps)], axis=1)


def _through_kernel(slopes: Array, kernel: Array, dilation: int) -> Array:
    length = slopes.shape[1]
    back = np.zeros((len(slopes), length + (len(kernel) - 1) * dilation, kernel.shape[1]), np.float32)
    for tap, matrix in enumerate(kernel):
        back[:, tap * dilation : tap * dilation + length] += slopes @ matrix.T
    return back


def cut_stretches(weights: WaveNetWeights, audio: Array, counted: int, lanes: int) -> Iterator[Array]:
    """All of ``audio`` (T,) in stretches (≤ lanes, receptive field − 1 + counted), silence before it and behind."""
    lead = weights.spec.receptive_field - 1
    count = -(-len(audio) // counted)
    padded = np.zeros(lead + count * counted, np.float32)
    padded[lead : lead + len(audio)] = audio
    places = np.arange(count)[:, np.newaxis] * counted + np.arange(lead + counted)
    for start in range(0, count, lanes):
        yield padded[places[start : start + lanes]]
