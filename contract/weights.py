"""The weights of a network as plain arrays, in one layout for all stages.

Keras layout throughout: matrices are (inputs, outputs), the G gates lie side by side in the order of the family
(LSTM: input, forget, cell candidate, output). TFLite, NAM and PyTorch order and transpose them otherwise; each stage
converts at its own border.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        head_kernel: (H, 1). head_bias: (1,).
        initial_state: what the network begins in; None for zero state, and never all zero.
    """

    spec: NetworkSpec
    layers: tuple[RecurrentWeights, ...]
    head_kernel: Array
    head_bias: Array
    initial_state: InitialState | None = None

    def __post_init__(self) -> None:
        """Check every shape against the spec. Raises SpecError, ModelFileError for NaN."""
        h = self.spec.hidden_size
        if len(self.layers) != self.spec.num_layers:
            raise SpecError(f"network: {len(self.layers)} layers of weights, but the spec says {self.spec.num_layers}")
        wanted: list[tuple[str, tuple[int, ...]]] = []
        for index, size in enumerate(self.spec.layer_input_sizes):
            columns = len(self.spec.kind.gates) * h
            wanted += [(f"layer {index} kernel", (size, columns)), (f"layer {index} recurrent kernel", (h, columns)),
                       (f"layer {index} bias", self.spec.kind.bias_shape(h))]
        wanted += [("head kernel", (h, 1)), ("head bias", (1,))]
        for (name, shape), array in zip(wanted, self.arrays(), strict=True):
            if array.shape != shape:
                raise SpecError(f"network: {name} has shape {array.shape}, wanted {shape} for {self.spec.label}")
            if not np.all(np.isfinite(array)):
                raise ModelFileError(f"network: {name} holds NaN or infinity; train again or use an earlier checkpoint")
        object.__setattr__(self, "initial_state", checked_initial_state(self.spec, self.initial_state))

    def arrays(self) -> Iterator[Array]:
        """All arrays in a fixed order (layer by layer: kernel, recurrent kernel, bias; then the head)."""
        for layer in self.layers:
            yield from (layer.kernel, layer.recurrent_kernel, layer.bias)
        yield from (self.head_kernel, self.head_bias)

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
    return NetworkWeights(spec, tuple(layers), draw(h, 1), draw(1) * np.float32(0.1))
