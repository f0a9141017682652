"""Every cell as the float kernels see it: four sums per unit, and what a unit makes of them is the cell's own header.

An LSTM's sums are its gates'. A GRU's candidate has two that must not be added before the reset gate comes in between,
what it hears and what it recalls: so one row of the input's weights and one of the state's are idle, and kernels pass
them over.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights

Float = NDArray[Any]
ROWS = 4


@dataclass(frozen=True)
class UnitRows:
    """A layer as the kernels read it: ``bias`` (4·H,), ``kernel`` (inputs, 4·H), ``recurrent`` (H, 4·H), row by row."""

    bias: Float
    kernel: Float
    recurrent: Float


@dataclass(frozen=True)
class UnitKind:
    """A cell's kernels in C.

    Attributes:
        unit_file: the runtime's header with a unit's step. lanes_file: the same for vectors. defines: that choose them.
        factors: by row, what the one for vectors wants rows multiplied with.
    """

    unit_file: str
    lanes_file: str
    defines: tuple[str, ...]
    factors: Float


KINDS = {
    "lstm": UnitKind("pedal_lstm_unit.h", "pedal_lstm_lanes.h", (), np.array([0.5, 1.0 / np.log(2.0), 1.0, 0.5])),
    "gru": UnitKind("pedal_gru_unit.h", "pedal_gru_lanes.h", ("#define PEDAL_CELL_GRU 1",),
                    np.array([1.0 / np.log(2.0), 0.5, 1.0, 0.5])),
}
"""Cells of which there are kernels in C."""


def kind_of(weights: NetworkWeights) -> UnitKind:
    """Of a network's cell."""
    return KINDS[weights.spec.kind.cell]


def unit_rows(cell: str, layer: RecurrentWeights) -> UnitRows:
    """The rows of a layer."""
    return _gru(layer) if cell == "gru" else UnitRows(layer.bias, layer.kernel, layer.recurrent_kernel)


def _gru(layer: RecurrentWeights) -> UnitRows:
    """Update, reset, candidate heard, candidate recalled."""
    size, (heard, recalled) = layer.hidden_size, layer.bias
    gates = 2 * size
    bias = np.concatenate([(heard + recalled)[:gates], heard[gates:], recalled[gates:]])
    kernel = np.pad(layer.kernel, ((0, 0), (0, size)))
    recurrent = np.insert(layer.recurrent_kernel, [gates] * size, 0.0, axis=1)
    return UnitRows(bias, kernel, recurrent)
