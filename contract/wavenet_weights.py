"""The weights of a WaveNet as plain arrays, in one layout for all stages: Keras's, (taps, inputs, outputs).

Of several taps the last one reads the present sample.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.weights import Array


@dataclass(frozen=True)
class ConvLayerWeights:
    """One layer of C channels that computes M sums (C, or 2·C when gated).

    Attributes:
        kernel: (K, C, M). bias: (M,). mixin: (1, M), of the network's input. mix: (C, C) and mix_bias: (C,), from the
            activations to what is added to the layer's input.
    """

    kernel: Array
    bias: Array
    mixin: Array
    mix: Array
    mix_bias: Array

    def arrays(self) -> Iterator[Array]:
        """All arrays in a fixed order."""
        yield from (self.kernel, self.bias, self.mixin, self.mix, self.mix_bias)


@dataclass(frozen=True)
class ConvArrayWeights:
    """Layers of one width.

    Attributes:
        entry: (inputs, C), from what the array reads to its channels.
        head: (K, C, head_size). head_bias: (head_size,) or None.
    """

    entry: Array
    layers: tuple[ConvLayerWeights, ...]
    head: Array
    head_bias: Array | None

    def arrays(self) -> Iterator[Array]:
        """All arrays in a fixed order."""
        yield self.entry
        for layer in self.layers:
            yield from layer.arrays()
        yield self.head
        if self.head_bias is not None:
            yield self.head_bias


@dataclass(frozen=True)
class WaveNetWeights:
    """A WaveNet's spec with its arrays (float32).

    Attributes:
        initial_state: None: it begins as endless silence leaves it.
    """

    spec: WaveNetSpec
    arrays_of_layers: tuple[ConvArrayWeights, ...]
    initial_state: None = None

    def __post_init__(self) -> None:
        """Check every shape against the spec. Raises SpecError, ModelFileError for NaN."""
        found, wanted = list(self.arrays()), weight_shapes(self.spec)
        if [array.shape for array in found] != wanted:
            shapes = [array.shape for array in found]
            place = next((index for index, pair in enumerate(zip(shapes, wanted, strict=False)) if pair[0] != pair[1]),
                         min(len(shapes), len(wanted)))
            raise SpecError(f"network: weight {place} of {len(shapes)} has shape {shapes[place : place + 1]}, wanted "
                            f"{wanted[place : place + 1]} of {len(wanted)} for {self.spec.label}")
        if not all(np.all(np.isfinite(array)) for array in found):
            raise ModelFileError("network: a weight is NaN or infinity; train again or use an earlier checkpoint")

    def arrays(self) -> Iterator[Array]:
        """All arrays in a fixed order: array by array entry, layers, head."""
        for array in self.arrays_of_layers:
            yield from array.arrays()

    def digest(self) -> str:
        """SHA-256 over spec and arrays, in hex: equal digests play equally."""
        hasher = hashlib.sha256(self.spec.model_dump_json().encode())
        for array in self.arrays():
            hasher.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
        return hasher.hexdigest()


def weight_shapes(spec: WaveNetSpec) -> list[tuple[int, ...]]:
    """The shape of every array of a network, in the order of :meth:`WaveNetWeights.arrays`."""
    return [shape for array, inputs in zip(spec.arrays, spec.array_input_sizes, strict=True)
            for shape in array_shapes(array, inputs)]


def array_shapes(array: ConvArray, inputs: int) -> list[tuple[int, ...]]:
    """Of one array that reads ``inputs`` channels, in the order of :meth:`ConvArrayWeights.arrays`."""
    c, sums = array.channels, array.sums
    shapes: list[tuple[int, ...]] = [(inputs, c)]
    for taps in array.kernel_sizes:
        shapes += [(taps, c, sums), (sums,), (1, sums), (c, c), (c,)]
    shapes.append((array.head_kernel_size, c, array.head_size))
    return [*shapes, (array.head_size,)] if array.head_bias else shapes


def flat_arrays(weights: WaveNetWeights) -> Array:
    """All weights one after another, (W,)."""
    flat: Array = np.concatenate([array.ravel() for array in weights.arrays()])
    return flat


def wavenet_weights(spec: WaveNetSpec, arrays: list[Array]) -> WaveNetWeights:
    """A network from its arrays in order. Raises SpecError, ModelFileError (see WaveNetWeights)."""
    numbers = iter(arrays)
    made = tuple(_take(array, numbers) for array in spec.arrays)
    return WaveNetWeights(spec, made)


def _take(array: ConvArray, numbers: Iterator[Array]) -> ConvArrayWeights:
    entry = next(numbers)
    layers = tuple(ConvLayerWeights(*(next(numbers) for _ in range(5))) for _ in array.dilations)
    head = next(numbers)
    return ConvArrayWeights(entry, layers, head, next(numbers) if array.head_bias else None)


def random_wavenet(spec: WaveNetSpec, seed: int) -> WaveNetWeights:
    """A network with random weights of usual sizes, for tests and benchmarks."""
    rng = np.random.default_rng(seed)
    arrays = []
    for shape in weight_shapes(spec):
        fan_in = max(1, int(np.prod(shape[:-1]))) if len(shape) > 1 else 4
        arrays.append((rng.normal(0.0, 1.0, shape) / np.sqrt(fan_in)).astype(np.float32))
    return wavenet_weights(spec, arrays)
