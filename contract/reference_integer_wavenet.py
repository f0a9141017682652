"""The integer WaveNet in NumPy: what a ``w8a16`` or ``w8a8`` file must give, bit for bit, in any block length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.integer_operators import IntegerConvolution
from neuralpedal.contract.integer_wavenet import (
    IntegerConvArray,
    IntegerConvLayer,
    IntegerWaveNet,
    read_integer_wavenet,
)
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet_plan import pasts


class IntegerReferenceWaveNet:
    """A network that remembers its past between calls; it begins as after endless silence.

    Attributes:
        network: what it plays.
    """

    def __init__(self, network: IntegerWaveNet) -> None:
        self.network = network
        self._arrays = [_Array(array) for array in network.arrays]
        self.reset()

    def reset(self) -> None:
        """Back to where endless silence leaves it."""
        signal, head = self._silence(), None
        for array in self._arrays:
            signal, head = array.process(signal, self._silence(), head, rests=True)

    def rests(self) -> list[Integers]:
        """After a reset: (C,) of every past, in the order of :func:`wavenet_plan.pasts`."""
        return [memory.past[0] for array in self._arrays for memory in array.memories() if len(memory.past)]

    def process(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Stream (T,) samples of the input's type; (T,) of the same type."""
        condition = samples.astype(np.int64)[:, np.newaxis]
        signal, head = condition, None
        for array in self._arrays:
            signal, head = array.process(signal, condition, head)
        assert head is not None
        answer = self.network.skip(head, condition) if self.network.skip else head
        return answer[:, 0].astype(self.network.output_code.dtype)

    def play(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stream (T,) float samples: encoded, processed, decoded."""
        return self.network.output_code.decode(self.process(self.network.input_code.encode(samples)))

    def _silence(self) -> Integers:
        return np.full((1, 1), self.network.input_code.zero_point, np.int64)


class _Array:
    """Layers of one width, over signals (T, channels)."""

    def __init__(self, array: IntegerConvArray) -> None:
        self._entry = array.entry
        self._layers = [_Layer(layer) for layer in array.layers]
        self._head = _Memory(array.head)

    def memories(self) -> Iterator["_Memory"]:
        """Of every layer, then of the head."""
        yield from (layer.heard for layer in self._layers)
        yield self._head

    def process(self, signal: Integers, condition: Integers, head: Integers | None,
                rests: bool = False) -> tuple[Integers, Integers]:
        """What goes on, and the head; ``rests``: of one sample that has lasted for ever."""
        signal = self._entry(signal)
        for layer in self._layers:
            signal, head = layer.process(signal, condition, head, rests)
        assert head is not None
        return signal, self._head.process(head, rests)


class _Layer:
    def __init__(self, layer: IntegerConvLayer) -> None:
        self._layer, self.heard = layer, _Memory(layer.heard)

    def process(self, signal: Integers, condition: Integers, total: Integers | None,
                rests: bool) -> tuple[Integers, Integers]:
        """What goes on to the next layer, and the activations of all layers so far."""
        layer = self._layer
        sums = layer.sums(self.heard.process(signal, rests), layer.mixed_in(condition))
        opened, gate = (sums, sums) if layer.gate is None else np.split(sums, 2, axis=1)
        activated = layer.activate(opened) if layer.activate else opened
        if layer.gate and layer.open_gate:
            activated = layer.gate(activated, layer.open_gate(gate))
        if layer.total:
            assert total is not None
            total = layer.total(total, activated)
        else:
            total = activated
        if layer.mix and layer.signal:
            signal = layer.signal(signal, layer.mix(activated))
        return signal, total


class _Memory:
    """A convolution with the samples (span, inputs) that it will still need."""

    def __init__(self, convolution: IntegerConvolution) -> None:
        self._convolution = convolution
        self.past = np.zeros((convolution.span, convolution.kernel.shape[1]), np.int64)

    def process(self, signal: Integers, rests: bool) -> Integers:
        """``rests``: the signal (1, inputs) has been there for ever."""
        if rests:
            self.past = np.repeat(signal, self._convolution.span, axis=0)
        track = np.concatenate([self.past, signal])
        self.past = track[len(signal) :]
        return self._convolution(track)


def open_integer_wavenet(file: TfliteFile) -> IntegerReferenceWaveNet:
    """The integer reference of a file.

    Raises:
        ModelFileError: as :func:`read_integer_wavenet`; or it does not begin where silence leaves its network.
    """
    network, found = read_integer_wavenet(file)
    reference = IntegerReferenceWaveNet(network)
    for past, wanted in zip(pasts(network.spec), reference.rests(), strict=True):
        if not np.array_equal(found[past.rest], wanted):
            raise ModelFileError(f"{file.path}: does not begin where silence leaves its network ({past.rest}); convert "
                                 "it again")
    return reference
