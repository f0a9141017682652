"""Whether the fixed formats of TFLite's integer LSTM are too narrow for a network, and a sentence on it where they are.

``w8a8`` and ``tflm16x8`` have no choice there: gate pre-activations saturate at ±8, and the cell is int16 with a power
of two as its scale. A network whose gates must stay nearer to 0 or 1 than ±8 brings them, or whose cells are large and
move slowly, plays wrongly in them however well its weights are rounded.
How often that happens is counted in the float network, on the audio of the error budget; whether it matters is the
budget's to say: of most networks some gates saturate, and nobody hears it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.arithmetic import Arithmetic, LayerArithmetic
from neuralpedal.contract.initial_state import LayerState
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.reference_cells import LstmCell, State
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.convert.simulation import Excerpt, Float

NARROW_SCHEMES = ("w8a8", TFLM16X8)

MATTERS_ESR = 1e-3
"""What a format must cost alone, as a term of the error budget: 30 dB under the signal."""

LEAST_SHARE = 1e-3
"""What must not fit: a network in chaos makes any rounding dear."""


@dataclass(frozen=True)
class NarrowFormats:
    """What does not fit, as shares from 0 to 1 over all units of all layers.

    Attributes:
        gates_beyond: of pre-activations that saturate.
        cells_beyond: of cell states that saturate.
        increments_lost: of a cell's movement, the sum of its increments' magnitudes, what comes in increments of less
            than half a step: an integer cell stands still instead. The mean over cells.
    """

    gates_beyond: float
    cells_beyond: float
    increments_lost: float


def measure_narrow_formats(weights: NetworkWeights, arithmetic: Arithmetic, excerpt: Excerpt) -> NarrowFormats:
    """Play ``excerpt`` through the float network and count what the grids of ``arithmetic`` do not hold.

    Of a frame network the steps of a whole window count, of a stream those after the warm-up.
    """
    pieces, has_frame = excerpt.pieces, weights.spec.kind.has_frame
    layers = [_Layer(layer, grids, state) for layer, grids, state in
              zip(weights.layers, arithmetic.layers, weights.first_states(len(pieces)), strict=True)]
    for t in range(pieces.shape[1]):
        signal: Float = pieces[:, t, np.newaxis]
        for layer in layers:
            signal = layer.step(signal, has_frame or t >= excerpt.warm_up_samples)
    return NarrowFormats(*(float(np.mean(np.concatenate([getattr(layer, name)() for layer in layers])))
                           for name in ("gates_beyond", "cells_beyond", "increments_lost")))


def remark(scheme: str, found: NarrowFormats, terms: Mapping[str, float], has_frame: bool) -> str | None:
    """One sentence where a format matters, else None.

    Args:
        terms: as in the error budget. has_frame: the family has no w8a16.
    """
    gates, cells = terms["gate_saturation"], terms["cell_format"]
    parts = [f"{100 * share:.2g} % of {what}" for cost, share, what in (
        (gates, found.gates_beyond, "the gates' pre-activations lie beyond ±8, where they saturate"),
        (cells, found.cells_beyond, "the cell states lie beyond what the cell's 16 bits hold"),
        (cells, found.increments_lost, "the cells' movement is in increments that round to nothing"),
    ) if cost >= MATTERS_ESR and share >= LEAST_SHARE]
    if not parts:
        return None
    wider = "w8, in float arithmetic, has none of these limits" if has_frame else f"{W8A16} has none of these limits"
    return f"{scheme}: TFLite's integer LSTM is too narrow for this network: {'; '.join(parts)}. {wider}."


class _Layer:
    """One LSTM layer over all lanes in float64, which counts."""

    def __init__(self, weights: RecurrentWeights, grids: LayerArithmetic, beginning: LayerState) -> None:
        self._weights, self._grids = weights, grids
        self._cell = LstmCell(weights)
        self._state: State = tuple(array.astype(np.float64) for array in beginning)
        size = weights.hidden_size
        self._count = 0
        self._gates = np.zeros(4 * size)
        self._cells, self._moved, self._lost = (np.zeros(size) for _ in range(3))

    def step(self, signal: Float, counts: bool) -> Float:
        """(lanes, inputs) to the hidden state (lanes, H)."""
        before, self._state = self._state, self._cell.step(signal, self._state)
        if counts:
            self._note(signal, before, self._state)
        return self._state[0]

    def _note(self, signal: Float, before: State, after: State) -> None:
        self._count += len(signal)
        if self._grids.gates:
            weights, grid = self._weights, self._grids.gates
            gates = signal @ weights.kernel + before[0] @ weights.recurrent_kernel + weights.bias
            self._gates += np.sum((gates < grid.low) | (gates > grid.high), axis=0)
        if self._grids.cell:
            grid, cells = self._grids.cell, after[1]
            self._cells += np.sum((cells < grid.low) | (cells > grid.high), axis=0)
            increments = np.abs(cells - before[1])
            self._moved += np.sum(increments, axis=0)
            self._lost += np.sum(increments, axis=0, where=increments < 0.5 * grid.step)

    def gates_beyond(self) -> NDArray[np.float64]:
        """By unit and gate (4H,)."""
        return self._gates / self._count

    def cells_beyond(self) -> NDArray[np.float64]:
        """By unit (H,)."""
        return self._cells / self._count

    def increments_lost(self) -> NDArray[np.float64]:
        """By unit (H,); 0 for a cell that never moves."""
        return self._lost / np.maximum(self._moved, np.finfo(np.float64).tiny)
