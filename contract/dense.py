"""Dense layers that bend, in front of the recurrent ones or behind them, as networks of others have them.

A linear one is none of these: it is a matrix beside another matrix, and whoever reads one multiplies the two.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST_LAYERS = 4
"""In front, and as many behind."""


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    return 0.5 * np.tanh(0.5 * x) + 0.5


BENDS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "tanh": np.tanh, "sigmoid": _sigmoid, "relu": lambda x: np.maximum(x, 0.0),
    "elu": lambda x: np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0))),
}
"""Activations by Keras's names, of any shape and float type."""

SLOPES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "tanh": lambda y: 1.0 - y * y, "sigmoid": lambda y: y * (1.0 - y), "relu": lambda y: (y > 0.0).astype(y.dtype),
    "elu": lambda y: np.minimum(y, 0.0) + 1.0,
}
"""Their derivatives, by what they gave."""


class DenseLayer(BaseModel):
    """One layer: ``activation``, a name of ``BENDS``, of a matrix product and a bias."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: int = Field(ge=1, le=256)
    activation: str

    @field_validator("activation")
    @classmethod
    def _known_activation(cls, activation: str) -> str:
        if activation not in BENDS:
            raise ValueError(f"{activation!r} is not one of {', '.join(BENDS)}")
        return activation

    @property
    def label(self) -> str:
        """``tanh 8``."""
        return f"{self.activation} {self.units}"


@dataclass(frozen=True)
class DenseWeights:
    """Of one layer, float32: ``kernel`` (inputs, units), ``bias`` (units,)."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


class DensePlayer:
    """Layers one after the other, in float64 or float32.

    Args:
        said: what they are. layers: their weights.
    """

    def __init__(self, said: Sequence[DenseLayer], layers: Sequence[DenseWeights], dtype: Any = np.float64) -> None:
        self._layers = [(BENDS[layer.activation], arrays.kernel.astype(dtype), arrays.bias.astype(dtype))
                        for layer, arrays in zip(said, layers, strict=True)]

    def play(self, signal: NDArray[Any]) -> NDArray[Any]:
        """(…, inputs) to (…, units)."""
        *_, answer = self.signals(signal)
        return answer

    def signals(self, signal: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """``signal``, then what each layer makes of it, the last one's answer last."""
        yield signal
        for bend, kernel, bias in self._layers:
            signal = bend(signal @ kernel + bias)
            yield signal
