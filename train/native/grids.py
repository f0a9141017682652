"""The grids of an integer LSTM as the C code's definitions, and one step on them in NumPy to prove the C code by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.arithmetic import Grid, LayerArithmetic
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.native.library import KernelUnavailableError

Float = NDArray[np.float64]

NO_GRIDS = LayerArithmetic()
"""Float arithmetic."""

MOST_STEPS = 2**22
"""Of a compiled grid, from 0 to either end: beyond it float32 cannot hold the steps apart."""


def coarse_grids(arithmetic: LayerArithmetic) -> LayerArithmetic:
    """The grids that float32 can compute on; finer ones (``w8a16`` has 32-bit gates and cells) are left out."""
    gates, cell, hidden = (grid if grid is not None and max(-grid.low, grid.high) <= MOST_STEPS * grid.step else None
            for grid in (arithmetic.gates, arithmetic.cell, arithmetic.hidden))
    return LayerArithmetic(gates, cell, hidden)


def grid_definitions(cell: str, arithmetic: LayerArithmetic) -> tuple[str, ...]:
    """Compiler options, none for ``NO_GRIDS``.

    Raises:
        KernelUnavailableError: grids for a cell that has none, or finer than float32.
    """
    if arithmetic != coarse_grids(arithmetic):
        raise KernelUnavailableError(f"grids of more than {MOST_STEPS} steps to either side cannot be compiled")
    if arithmetic != NO_GRIDS and cell != "lstm":
        raise KernelUnavailableError(f"{cell} layers have no integer arithmetic, lstm layers alone do")
    grids = {"GATE": arithmetic.gates, "CELL": arithmetic.cell, "HIDDEN": arithmetic.hidden}
    options = [f"-DPEDAL_{name}_GRID={_literals(grid.step, round(grid.low / grid.step), round(grid.high / grid.step))}"
               for name, grid in grids.items() if grid is not None]
    if arithmetic.gates is not None:
        options.append(f"-DPEDAL_GATE_SATURATED={_literals(*_near_ends(arithmetic.gates))}")
    return tuple(options)


def step_on_grids(weights: RecurrentWeights, arithmetic: LayerArithmetic, x: NDArray[Any], hidden: NDArray[Any],
                  cell: NDArray[Any]) -> tuple[Float, Float]:
    """Hidden state and cell (B, H) after the inputs x (B, C) in float64."""
    sums = x @ weights.kernel + hidden @ weights.recurrent_kernel + weights.bias
    i, f, g, o = np.split(_snap(arithmetic.gates, sums), 4, axis=1)
    cell = _snap(arithmetic.cell, _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g))
    return _snap(arithmetic.hidden, _sigmoid(o) * np.tanh(cell)), cell


def _near_ends(gates: Grid) -> tuple[float, float]:
    ends = _sigmoid(np.array([gates.low + gates.step / 2, gates.high - gates.step / 2]))
    return float(ends[0]), float(ends[1])


def _literals(*values: float) -> str:
    return ",".join(f"{float(value):.9e}f" for value in values)


def _snap(grid: Grid | None, values: Float) -> Float:
    return values if grid is None else grid.snap(values)


def _sigmoid(x: Float) -> Float:
    # Half a tanh does not overflow.
    return 0.5 + 0.5 * np.tanh(0.5 * x)
