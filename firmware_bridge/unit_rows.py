"""Every cell as the float kernels see it: four sums per unit, and what a unit makes of them is the cell's own header.

An LSTM's sums are its gates'. A GRU's candidate has two that must not be added before the reset gate comes in between,
what it hears and what it recalls: so one of the sums has no weights of the input, and one none of the state. Tables
leave such a row out; vectors, which hold all four sums alike, have zeros there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights

Float = NDArray[Any]


@dataclass(frozen=True)
class UnitRows:
    """A layer row by row: ``bias`` (4·H,), ``kernel`` (inputs, R·H), ``recurrent`` (H, R·H), R without the idle one."""

    bias: Float
    kernel: Float
    recurrent: Float

    @property
    def size(self) -> int:
        """Numbers in all of them."""
        return self.bias.size + self.kernel.size + self.recurrent.size


@dataclass(frozen=True)
class UnitKind:
    """A cell's kernels in C.

    Attributes:
        unit_file: the runtime's header with a unit's step. lanes_file: the same for vectors. defines: that choose them.
        factors: by row, what the one for vectors wants rows multiplied with.
        idle: the row that ``kernel`` lacks, and the one that ``recurrent`` lacks; none where both have all.
    """

    unit_file: str
    lanes_file: str
    defines: tuple[str, ...]
    factors: Float
    idle: tuple[int, int] | None = None


KINDS = {
    "lstm": UnitKind("pedal_lstm_unit.h", "pedal_lstm_lanes.h", (), np.array([0.5, 1.0 / np.log(2.0), 1.0, 0.5])),
    "gru": UnitKind("pedal_gru_unit.h", "pedal_gru_lanes.h", ("#define PEDAL_CELL_GRU 1",),
                    np.array([1.0 / np.log(2.0), 0.5, 1.0, 0.5]), idle=(3, 2)),
}
"""Cells of which there are kernels in C."""


def kind_of(weights: NetworkWeights) -> UnitKind:
    """Of a network's cell."""
    return KINDS[weights.spec.kind.cell]


def unit_rows(layer: RecurrentWeights) -> UnitRows:
    """The rows of a layer; a GRU's are update, reset, candidate heard, candidate recalled."""
    bias = layer.bias
    if bias.ndim == 2:
        gates, (heard, recalled) = 2 * layer.hidden_size, layer.bias
        bias = np.concatenate([(heard + recalled)[:gates], heard[gates:], recalled[gates:]])
    return UnitRows(bias, layer.kernel, layer.recurrent_kernel)


def filled_rows(cell: str, layer: RecurrentWeights) -> UnitRows:
    """The same with all four rows everywhere."""
    rows, size, idle = unit_rows(layer), layer.hidden_size, KINDS[cell].idle
    if idle is None:
        return rows
    kernel, recurrent = (np.insert(matrix, [row * size] * size, 0.0, axis=1)
                         for matrix, row in zip((rows.kernel, rows.recurrent), idle, strict=True))
    return UnitRows(rows.bias, kernel, recurrent)
