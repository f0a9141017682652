"""The weights of a network as plain arrays, in one layout for all stages.

Keras layout throughout: matrices are (inputs, outputs), the G gates lie side by side in the order of the family
(LSTM: input, forget, cell candidate, output). TFLite, NAM and PyTorch order and transpose them otherwise; each stage
converts at its own border.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.dense import DenseWeights
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.initial_state import InitialState, LayerState, checked_initial_state
from neuralpedal.contract.spec import FAMILIES, NetworkSpec

Array = NDArray[np.float32]

GATES = FAMILIES["lstm"].gates
"""An LSTM's gates in column order."""


@dataclass(frozen=True)
class RecurrentWeights:
    """One recurrent layer of G gates.

    Attributes:
        kernel: (inputs, G·H). recurrent_kernel: (H, G·H). bias: (G·H,), or (2, G·H), of input and of state, where the
            family has two.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.recurrent_kernel.shape[0]

    def gate(self, index: int) -> tuple[Array, Array, Array]:
        """Kernel (inputs, H), recurrent kernel (H, H) and bias (H,) or (2, H) of one gate, counted as in the family."""
        h = self.hidden_size
        columns = slice(index * h, (index + 1) * h)
        return self.kernel[:, columns], self.recurrent_kernel[:, columns], self.bias[..., columns]


@dataclass(frozen=True)
class NetworkWeights:
    """A network's spec with its arrays (float32).

    Attributes:
        layers: recurrent layers, first to last.
        head_kernel: (H, 1), or with a head (units of its last layer, 1). head_bias: (1,).
        initial_state: what the network begins in; None for zero state, and never all zero.
        front, head: the spec's dense layers, first to last.
    """

    spec: NetworkSpec
    layers: tuple[RecurrentWeights, ...]
    head_kernel: Array
    head_bias: Array
    initial_state: InitialState | None = None
    front: tuple[DenseWeights, ...] = ()
    head: tuple[DenseWeights, ...] = ()

    def __post_init__(self) -> None:
        """Check every shape against the spec. Raises SpecError, ModelFileError for NaN."""
        for name, found, said in (("", self.layers, self.spec.num_layers), ("front ", self.front, len(self.spec.front)),
                                  ("head ", self.head, len(self.spec.head))):
            if len(found) != said:
                raise SpecError(f"network: {len(found)} {name}layers of weights, but the spec says {said}")
        for (name, shape), array in zip(named_shapes(self.spec), self.arrays(), strict=True):
            if array.shape != shape:
                raise SpecError(f"network: {name} has shape {array.shape}, wanted {shape} for {self.spec.label}")
            if not np.all(np.isfinite(array)):
                raise ModelFileError(f"network: {name} holds NaN or infinity; train again or use an earlier checkpoint")
        object.__setattr__(self, "initial_state", checked_initial_state(self.spec, self.initial_state))

    def arrays(self) -> Iterator[Array]:
        """All arrays in a fixed order, that of the signal.

        Layer by layer kernel, recurrent kernel where there is one, and bias; then the output's sum.
        """
        for dense in self.front:
            yield from (dense.kernel, dense.bias)
        for layer in self.layers:
            yield from (layer.kernel, layer.recurrent_kernel, layer.bias)
        for dense in self.head:
            yield from (dense.kernel, dense.bias)
        yield from (self.head_kernel, self.head_bias)

    @property
    def biases(self) -> list[Array]:
        """Those of ``arrays`` that are no matrices."""
        return [*(layer.bias for layer in self.layers), *(layer.bias for layer in (*self.front, *self.head)),
                self.head_bias]

    def first_states(self, lanes: int) -> list[LayerState]:
        """The state that ``lanes`` signals begin in, per layer arrays (lanes, H)."""
        h, kind = self.spec.hidden_size, self.spec.kind
        if self.initial_state is None:
            return [tuple(np.zeros((lanes, h), np.float32) for _ in kind.state) for _ in self.layers]
        return [tuple(np.tile(array, (lanes, 1)) for array in layer) for layer in self.initial_state]

    def digest(self) -> str:
        """SHA-256 over spec, arrays and initial state, in hex: equal digests play equally."""
        hasher = hashlib.sha256(self.spec.model_dump_json(exclude_none=True).encode())
        beginning = [array for layer in self.initial_state or () for array in layer]
        for array in (*self.arrays(), *beginning):
            hasher.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
        return hasher.hexdigest()


def named_shapes(spec: NetworkSpec) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of every array of a network, in the order of ``NetworkWeights.arrays``."""
    h, columns = spec.hidden_size, len(spec.kind.gates) * spec.hidden_size
    front, head = spec.dense_shapes
    named = _dense_shapes("front", front)
    for index, size in enumerate(spec.layer_input_sizes):
        named += [(f"layer {index} kernel", (size, columns)), (f"layer {index} recurrent kernel", (h, columns)),
                  (f"layer {index} bias", spec.kind.bias_shape(h))]
    return [*named, *_dense_shapes("dense layer behind", head), ("head kernel", (spec.sum_inputs, 1)),
            ("head bias", (1,))]


def _dense_shapes(name: str, shapes: tuple[tuple[int, int], ...]) -> list[tuple[str, tuple[int, ...]]]:
    return [named for index, (inputs, units) in enumerate(shapes)
            for named in ((f"{name} {index} kernel", (inputs, units)), (f"{name} {index} bias", (units,)))]


def network_of(spec: NetworkSpec, arrays: Iterable[Array], initial_state: InitialState | None = None) -> NetworkWeights:
    """The network of arrays in the order of ``NetworkWeights.arrays``."""
    take = iter(arrays)
    front = tuple(DenseWeights(next(take), next(take)) for _ in spec.front)
    layers = tuple(RecurrentWeights(next(take), next(take), next(take)) for _ in range(spec.num_layers))
    head = tuple(DenseWeights(next(take), next(take)) for _ in spec.head)
    return NetworkWeights(spec, layers, next(take), next(take), initial_state, front, head)


def random_weights(spec: NetworkSpec, seed: int, scale: float = 0.4) -> NetworkWeights:
    """A network with random weights and live gates (an LSTM's forget bias 1), for tests and benchmarks."""
    rng = np.random.default_rng(seed)
    h, kind = spec.hidden_size, spec.kind
    columns = len(kind.gates) * h

    def draw(*shape: int) -> Array:
        return rng.normal(0.0, scale / np.sqrt(max(shape[0], 4) / 4), shape).astype(np.float32)

    layers = []
    for size in spec.layer_input_sizes:
        bias = draw(*kind.bias_shape(h))
        if kind.cell == "lstm":
            bias[h : 2 * h] += 1.0
        layers.append(RecurrentWeights(draw(size, columns), draw(h, columns), bias))
    front, head = (tuple(DenseWeights(draw(inputs, units), draw(units)) for inputs, units in shapes)
                   for shapes in spec.dense_shapes)
    return NetworkWeights(spec, tuple(layers), draw(spec.sum_inputs, 1), draw(1) * np.float32(0.1), None, front, head)
