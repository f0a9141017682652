"""Plays audio through a float network with grids put where a quantized file rounds, any subset of them.

Many pieces of a recording are played side by side, in float64, because one stream in Python would take minutes. A
streaming network gets pieces from all over the take, each led by the audio before it; a frame network gets windows.
In the loop halves are rounded to even: sums of float weights hit no halves, and it is one call instead of four.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.arithmetic import Arithmetic, CompandedGrid, Grid, LayerArithmetic
from neuralpedal.contract.dense import DensePlayer
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.initial_state import LayerState
from neuralpedal.contract.reference_cells import make_cell
from neuralpedal.contract.spec import FAMILIES, Family
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.convert.simulated_activations import GateActivation

Float = NDArray[np.float64]

LARGEST_S = 8.0
LANES = 64
"""Pieces of a streaming network of up to 32 units in all; fewer of a larger one, so that it takes no longer."""

WARM_UP_SAMPLES = 8192
WINDOWS = 6000
"""Windows of a frame network. Each is as dear as F samples of a stream."""

_SHORTEST_LANE_SAMPLES = 1024
_UNITS_OF_ALL_LANES = 32


@dataclass(frozen=True)
class Excerpt:
    """Audio to simulate on.

    Attributes:
        pieces: (lanes, W + n) float64, side by side; the first ``warm_up_samples`` = W answers of each are dropped.
        places: (lanes, n), where the answers lie in the measured take.
    """

    pieces: Float
    warm_up_samples: int
    places: NDArray[np.int64]

    @property
    def dry(self) -> Float:
        """(lanes, n): the input of the samples that count."""
        return self.pieces[:, self.warm_up_samples :]


def choose_excerpt(dry: NDArray[np.float32], taken_from: int, weights: NetworkWeights, largest_s: float = LARGEST_S,
                   warm_up_samples: int = WARM_UP_SAMPLES) -> Excerpt:
    """At most ``largest_s`` of a take, spread evenly over all of it; less for large networks.

    Args:
        dry: (W + T,) as in a take. taken_from: W, where the measured part begins.
        largest_s, warm_up_samples: of a network that streams.
    """
    spec, length = weights.spec, len(dry) - taken_from
    if spec.frame_samples:
        starts, size, warm_up = _spread(length, 1, WINDOWS), 1, spec.frame_samples - 1
    else:
        total = min(length, round(largest_s * spec.sample_rate_hz))
        size = min(max(-(-total // LANES), _SHORTEST_LANE_SAMPLES), total)
        lanes = min(-(-total // size), max(LANES * _UNITS_OF_ALL_LANES // (spec.hidden_size * spec.num_layers), 1))
        starts, warm_up = _spread(length, size, lanes), min(warm_up_samples, len(dry))
    padded = np.concatenate([np.zeros(warm_up), dry])
    places = starts[:, np.newaxis] + np.arange(size)
    reach = starts[:, np.newaxis] + np.arange(warm_up + size)
    return Excerpt(padded[reach + taken_from], warm_up, places)


def _spread(length: int, size: int, count: int) -> NDArray[np.int64]:
    """First samples of at most ``count`` pieces of ``size`` in ``length``, the same distance apart."""
    last = length - size
    return np.unique(np.linspace(0, last, min(count, last + 1)).astype(np.int64))


def head_signal(weights: NetworkWeights, arithmetic: Arithmetic, excerpt: Excerpt) -> Float:
    """The head's sums (lanes, n) before any grid of head, skip and output; ``weights`` are played as they are."""
    pieces = excerpt.pieces if arithmetic.input is None else arithmetic.input.snap(excerpt.pieces)
    lanes, steps = pieces.shape
    make = _LAYERS[weights.spec.kind.cell]
    layers = [make(layer, grids, state) for layer, grids, state in
              zip(weights.layers, arithmetic.layers, weights.first_states(lanes), strict=True)]
    kernel, bias = weights.head_kernel.astype(np.float64)[:, 0], float(weights.head_bias[0])
    front, bent = DensePlayer(weights.spec.front, weights.front), DensePlayer(weights.spec.head, weights.head)
    answers = np.empty((steps - excerpt.warm_up_samples, lanes))
    columns = np.ascontiguousarray(pieces.T)
    for t in range(steps):
        signal: Float = front.play(columns[t, :, np.newaxis])
        for layer in layers:
            signal = layer.step(signal)
        if t >= excerpt.warm_up_samples:
            np.dot(bent.play(signal), kernel, out=answers[t - excerpt.warm_up_samples])
    return answers.T + bias


def answer(head: Float, arithmetic: Arithmetic, excerpt: Excerpt, skip: bool) -> Float:
    """The output (lanes, n) from the head's sums: grids of head, dry and output, and the skip."""
    wet = _snapped(head, arithmetic.head)
    if skip:
        wet = wet + _snapped(excerpt.dry, arithmetic.dry)
    return _snapped(wet, arithmetic.output)


def simulate(weights: NetworkWeights, arithmetic: Arithmetic, excerpt: Excerpt) -> Float:
    """The output (lanes, n) of a network whose signals lie on grids; ``weights`` are played as they are."""
    return answer(head_signal(weights, arithmetic, excerpt), arithmetic, excerpt, weights.spec.skip)


def _snapped(values: Float, grid: Grid | CompandedGrid | None) -> Float:
    return values if grid is None else grid.snap(values)


class _Layer(Protocol):
    """One layer over all lanes, from where it begins."""

    def step(self, signal: Float) -> Float:
        """(lanes, inputs) to the hidden state (lanes, H), which the next step overwrites."""


class _LstmLayer:
    """From h and c (lanes, H), in arrays of its own."""

    def __init__(self, weights: RecurrentWeights, grids: LayerArithmetic, beginning: LayerState) -> None:
        h, inputs, lanes = weights.hidden_size, len(weights.kernel), len(beginning[0])
        self._size, self._inputs = h, inputs
        self._matrix = np.vstack([weights.kernel, weights.recurrent_kernel]).astype(np.float64)
        self._bias = weights.bias.astype(np.float64)
        self._activate_gates = GateActivation(grids.activations, lanes, np.repeat([False, False, True, False], h))
        self._activate_cell = GateActivation(grids.activations, lanes, np.ones(h, dtype=bool))
        self._joined, self._gates = np.zeros((lanes, inputs + h)), np.empty((lanes, 4 * h))
        self._in_shares, self._shares = grids.in_shares, np.empty((lanes, 4 * h))
        self._cell, self._written = beginning[1].astype(np.float64), np.empty((lanes, h))
        self._hidden = self._joined[:, inputs:]
        self._hidden[...] = beginning[0]
        self._snap_gates, self._snap_cell, self._snap_hidden = map(_snapper, (grids.gates, grids.cell, grids.hidden))
        self._snap_cell(self._cell)
        self._snap_hidden(self._hidden)

    def step(self, signal: Float) -> Float:
        """See :class:`_Layer`."""
        h, gates, cell = self._size, self._gates, self._cell
        self._joined[:, : self._inputs] = signal
        self._sum_gates()
        self._activate_gates(gates)
        np.multiply(gates[:, :h], gates[:, 2 * h : 3 * h], out=self._written)
        cell *= gates[:, h : 2 * h]
        if self._in_shares:
            self._snap_cell(cell)
            self._snap_cell(self._written)
        cell += self._written
        self._snap_cell(cell)
        np.copyto(self._written, cell)
        self._activate_cell(self._written)
        np.multiply(self._written, gates[:, 3 * h :], out=self._hidden)
        self._snap_hidden(self._hidden)
        return self._hidden

    def _sum_gates(self) -> None:
        inputs, gates = self._inputs, self._gates
        if self._in_shares:
            np.dot(self._joined[:, :inputs], self._matrix[:inputs], out=self._shares)
            self._shares += self._bias
            self._snap_gates(self._shares)
            np.dot(self._hidden, self._matrix[inputs:], out=gates)
            self._snap_gates(gates)
            gates += self._shares
        else:
            np.dot(self._joined, self._matrix, out=gates)
            gates += self._bias
        self._snap_gates(gates)


class _FloatLayer:
    """Of cells that no integer scheme plays: there is nothing to put on a grid.

    Args:
        family: with the cell.
    """

    def __init__(self, family: Family, weights: RecurrentWeights, grids: LayerArithmetic,
                 beginning: LayerState) -> None:
        if grids != LayerArithmetic():
            raise SpecError(f"{family.cell}: has no integer arithmetic to simulate")
        self._cell = make_cell(family, weights)
        self._state = tuple(array.astype(np.float64) for array in beginning)

    def step(self, signal: Float) -> Float:
        """See :class:`_Layer`."""
        self._state = self._cell.step(signal, self._state)
        return self._state[0]


_LAYERS: dict[str, Callable[[RecurrentWeights, LayerArithmetic, LayerState], _Layer]] = {
    "lstm": _LstmLayer, "gru": partial(_FloatLayer, FAMILIES["gru"]), "rnn": partial(_FloatLayer, FAMILIES["rnn"]),
}
"""By cell."""


def _snapper(grid: Grid | None) -> Callable[[Float], None]:
    """Puts an array on a grid, in place."""
    if grid is None:
        return lambda values: None
    finer, step, low, high = 1.0 / grid.step, grid.step, grid.low, grid.high

    def snap(values: Float) -> None:
        values *= finer
        np.rint(values, out=values)
        values *= step
        np.maximum(values, low, out=values)
        np.minimum(values, high, out=values)

    return snap
