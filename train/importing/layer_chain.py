"""Dense layers, recurrent ones and dense ones in a row, as one network of ours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.dense import DenseWeights
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.importing.capture import Bending, checked_weights, float32
from neuralpedal.train.importing.folding import Dense, First, fold_before, fold_gains, fold_knobs, fold_linear

_IDENTITY = Dense(np.ones((1, 1)), np.zeros(1))
"""The output's sum where the last layer bends."""


@dataclass(frozen=True)
class LayerChain:
    """What a file says.

    Attributes:
        before: dense layers in front. layers: recurrent ones, one or two. after: dense layers, at least one.
    """

    before: Sequence[Dense]
    layers: Sequence[RecurrentWeights]
    after: Sequence[Dense]

    def weights(self, path: Path, settings: dict[str, float], gains_db: tuple[float, float] = (0.0, 0.0),
                **spec: Any) -> tuple[NetworkWeights, float]:
        """All of it, and the gain in dB that is left over.

        Args:
            settings: of knobs. gains_db: before the network and after it. spec: as of ``checked_weights``.

        Raises:
            ModelFileError: sizes that do not fit, or that no network of ours has.
        """
        bending, linear = fold_linear(path, self.before)
        behind, last = fold_linear(path, self.after)
        front, layers, end = list(map(_bending, bending)), list(self.layers), last or _IDENTITY
        if linear:
            layers[0] = fold_before(layers[0], linear)
        head = float32(end.kernel), float32(end.bias)
        if front:
            activation, first = front[0]
            dense, head, left_db = _folded(first, head, settings, gains_db, spec["skip"])
            front[0] = activation, dense
        else:
            layers[0], head, left_db = _folded(layers[0], head, settings, gains_db, spec["skip"])
        return checked_weights(path, tuple(layers), head, None, front, list(map(_bending, behind)), **spec), left_db


def parted(kinds: Sequence[str], is_recurrent: Callable[[str], bool]) -> tuple[int, int] | None:
    """Where the recurrent layers begin and end among layers in a row; None where others lie between them, none are
    there or nothing follows."""
    found = [index for index, kind in enumerate(kinds) if is_recurrent(kind)]
    if not found or found != list(range(found[0], found[-1] + 1)) or found[-1] == len(kinds) - 1:
        return None
    return found[0], found[-1] + 1


def _folded(first: First, head: tuple[Any, Any], settings: dict[str, float], gains_db: tuple[float, float],
            skip: bool) -> tuple[First, tuple[Any, Any], float]:
    return fold_gains(fold_knobs(first, settings) if settings else first, head, skip, *gains_db)


def _bending(layer: Dense) -> Bending:
    return layer.activation, DenseWeights(float32(layer.kernel), float32(layer.bias))
