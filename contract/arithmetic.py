"""Where a quantized network rounds its values and where they saturate, as real numbers: what simulations need.

An integer file is integers and multipliers; seen from outside, all that it does to a float network is to round some
signals to a grid and to clip them at its ends. The error budget (convert) simulates that one place at a time, and
fine-tuning (train) trains through it: both must mean the same grids, so they stand here.
Multipliers round once more, by less than the grids; simulations leave that out and say how far they are from the file.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.fixed_point import round_half_away

WeightScales = Literal["free", "channel", "gate"]
"""Which weights of a matrix share a scale: none (float weights), those of one output channel, those of one gate."""

Activations = Literal["exact", "chords", "q15"]
"""Sigmoid and tanh: as they are, by the chords of w8a16's table (integer_activations.py), or rounded to 15 bits."""


@dataclass(frozen=True)
class Grid:
    """Multiples of ``step`` (> 0) from ``low`` (≤ 0) to ``high`` (≥ 0), both of which are multiples themselves."""

    step: float
    low: float
    high: float

    def snap(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The nearest grid points (halves away from zero), float64 of any shape."""
        rounded = round_half_away(np.asarray(values, np.float64) / self.step) * self.step
        return np.clip(rounded, self.low, self.high)


@dataclass(frozen=True)
class CompandedGrid:
    """The fine grid where it does not end, the coarse one elsewhere: the answer of contract/coarse_fine.py."""

    coarse: Grid
    fine: Grid

    def snap(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """As :meth:`Grid.snap`."""
        fine = self.fine.snap(values)
        inside = (fine > self.fine.low) & (fine < self.fine.high)
        return np.where(inside, fine, self.coarse.snap(values))


@dataclass(frozen=True)
class LayerArithmetic:
    """Grids of one LSTM layer; None leaves a signal as it is.

    Attributes:
        gates: the four pre-activations, before sigmoid and tanh.
        cell: the cell state, after every update.
        hidden: the hidden state, after every update.
        activations: how sigmoid and tanh are computed.
        in_shares: the input's and the state's share of a gate, and what a cell keeps and what is written to it, are put
            on the grid by themselves before they are added. Fine-tuning leaves out these last two.
    """

    gates: Grid | None = None
    cell: Grid | None = None
    hidden: Grid | None = None
    activations: Activations = "exact"
    in_shares: bool = False


@dataclass(frozen=True)
class Arithmetic:
    """Grids of one network.

    Attributes:
        weight_scales: see ``WeightScales``; matrices are int8, −127 to 127, biases stay as they are.
        layers: first to last.
        input: the dry signal on its way into the layers.
        head: the head's output. dry: what the skip adds. output: the sum of both.
    """

    weight_scales: WeightScales
    layers: tuple[LayerArithmetic, ...]
    input: Grid | None = None
    head: Grid | CompandedGrid | None = None
    dry: Grid | None = None
    output: Grid | None = None
