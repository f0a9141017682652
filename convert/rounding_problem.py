"""Integers and scales of int8 weights that move the output least: the quadratic problem behind ``rounding.py``.

Sources: Frantar et al., "GPTQ", 2022 (arXiv:2210.17323); Chen et al., "The Geometry of LLM Quantization: GPTQ as
Babai's Nearest Plane Algorithm", 2025 (arXiv:2507.18553).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.weights import Array
from neuralpedal.convert.weight_quantization import WEIGHT_LIMIT, symmetric_scales

Float = NDArray[np.float64]
Places = NDArray[np.int64]

CLIP_FACTORS = np.linspace(1.0, 0.8, 41)
"""Scales tried, as shares of the one that the largest weight asks for."""

DAMPING = 3e-3
"""Added to G's diagonal, as a share of it: G is an estimate, and a weight that it calls free is not."""


@dataclass
class WeightGrid:
    """Integers and scales of all weights that have a grid.

    Attributes:
        blocks: places of the weights (in the flat order) that share a scale.
        steps: (P,) each weight's step, 0 where it is free. integers: (P,).
        pinned: (P,) bool, the largest of each block: it stays at ±127, so that the scale is found again.
    """

    blocks: list[Places]
    steps: Float
    integers: Float
    pinned: NDArray[np.bool_]

    @property
    def gridded(self) -> Places:
        """All places on a grid, block after block."""
        return np.concatenate(self.blocks or [np.zeros(0, np.int64)])

    def values(self, flat: Float) -> Float:
        """All weights (P,), the free ones as in ``flat``."""
        return np.where(self.steps > 0, self.integers * self.steps, flat)

    def part(self, blocks: list[Places], places: Places) -> "WeightGrid":
        """The grid of some blocks alone, over the weights at ``places`` (ascending), which hold them and free ones."""
        local = [np.searchsorted(places, block) for block in blocks]
        return WeightGrid(local, self.steps[places], self.integers[places], self.pinned[places])


class RoundingProblem:
    """Minimize δᵀGδ over integers, scales and free weights.

    Args:
        sensitivity: G (P, P) float32, which is overwritten. flat: (P,) the weights without rounding. nearest: their
            grid, and where the nearest integers lie.
    """

    def __init__(self, sensitivity: Array, flat: Float, nearest: WeightGrid) -> None:
        self._flat, self._values = flat, nearest.values(flat)
        # A block of one weight has a scale of its own: it is as free as a bias.
        blocks = [block for block in nearest.blocks if len(block) > 1]
        single = np.concatenate([block for block in nearest.blocks if len(block) == 1] or [np.zeros(0, np.int64)])
        self._grid = WeightGrid(blocks, nearest.steps.copy(), nearest.integers.copy(), nearest.pinned.copy())
        self._grid.steps[single] = 0.0
        self._free = np.flatnonzero(self._grid.steps == 0)
        diagonal = np.sqrt(np.diag(sensitivity).astype(np.float64))
        # In units in which every weight alone matters alike, G can be damped alike and float32 suffices.
        self._unit = np.maximum(diagonal, 1e-4 * max(float(diagonal.max()), 1e-30))
        unit = (1.0 / self._unit).astype(np.float32)
        sensitivity *= unit[:, np.newaxis]
        sensitivity *= unit
        sensitivity[np.diag_indices(len(flat))] += DAMPING
        self._g = sensitivity
        self._eliminate()

    def _eliminate(self) -> None:
        """G of the gridded weights with the free ones always at their best."""
        # The order in which Babai goes is from the end: the blocks that matter most go first.
        weight = [float(np.sum((self._grid.steps[block] * self._unit[block]) ** 2)) for block in self._grid.blocks]
        self._grid.blocks = [self._grid.blocks[k] for k in np.argsort(weight)]
        for k, block in enumerate(self._grid.blocks):
            importance = self._unit[block] + 1e9 * self._grid.pinned[block]
            self._grid.blocks[k] = block[np.argsort(importance, kind="stable")]
        gridded = self._grid.gridded
        across = self._g[np.ix_(self._free, gridded)]
        self._answer = np.linalg.solve(self._g[np.ix_(self._free, self._free)].astype(np.float64),
                                       across).astype(np.float32)
        self._reduced = self._g[np.ix_(gridded, gridded)]
        self._reduced -= across.T @ self._answer

    def solve(self) -> Float:
        """Round all; the weights (P,)."""
        self._babai()
        return self._descend(self._g @ ((self._values - self._flat) * self._unit))

    def improve(self, values: Float, slope: Float) -> Float:
        """Go down from ``values`` (P,), which differ from the last ones in free weights only.

        ``slope`` is half the true error's gradient there.
        """
        self._values = values.copy()
        return self._descend(slope / self._unit)

    def _descend(self, slope: Float) -> Float:
        for _ in range(2):
            slope = self._flip(slope)
            slope = self._fit_scales(slope)
        return self._values.copy()

    def _babai(self) -> None:
        gridded, grid = self._grid.gridded, self._grid
        upper = np.linalg.cholesky(self._reduced).T * self._unit[gridded].astype(np.float32)
        moved, stop = np.zeros(len(gridded)), len(gridded)
        for block in reversed(grid.blocks):
            start = stop - len(block)
            carried = upper[start:stop, stop:] @ moved[stop:].astype(np.float32)
            scales, integers = _round_block(upper[start:stop, start:stop].astype(np.float64),
                                            carried.astype(np.float64), self._flat[block], grid.pinned[block])
            grid.steps[block], grid.integers[block] = scales, integers
            moved[start:stop] = integers * scales - self._flat[block]
            stop = start
        self._values[gridded] = grid.integers[gridded] * grid.steps[gridded]
        self._values[self._free] = self._flat[self._free]
        change = (self._values[gridded] - self._flat[gridded]) * self._unit[gridded]
        self._values[self._free] -= (self._answer @ change) / self._unit[self._free]

    def _flip(self, slope: Float) -> Float:
        """Steps of ±1 while one lowers the error, free weights following; the slope where it ends."""
        grid, gridded, free = self._grid, self._grid.gridded, self._free
        step = grid.steps[gridded] * self._unit[gridded]
        curvature = step**2 * np.diag(self._reduced)
        down = slope[gridded] - self._answer.T @ slope[free]
        integers, pinned, change = grid.integers[gridded], grid.pinned[gridded], np.zeros(len(gridded))
        for _ in range(4 * len(gridded)):
            gain = 2.0 * step * np.abs(down) - curvature
            toward = -np.sign(down)
            gain[pinned | (np.abs(integers + toward) > WEIGHT_LIMIT)] = 0.0
            best = int(np.argmax(gain))
            if gain[best] <= 1e-6 * curvature[best]:
                break
            integers[best] += toward[best]
            move = toward[best] * step[best]
            change[best] += move
            down += move * self._reduced[best]
        grid.integers[gridded] = integers
        self._values[gridded] = integers * grid.steps[gridded]
        everywhere = np.zeros(len(slope))
        everywhere[gridded] = change
        inner = self._g[np.ix_(free, free)].astype(np.float64)
        everywhere[free] = -(self._answer @ change) - np.linalg.solve(inner, slope[free])
        self._values[free] += everywhere[free] / self._unit[free]
        return slope + self._g @ everywhere

    def _fit_scales(self, slope: Float) -> Float:
        """Scales and free weights to their best for these integers; the slope where it ends."""
        grid, blocks = self._grid, self._grid.blocks
        basis = np.zeros((len(slope), len(blocks) + len(self._free)), np.float32)
        for k, block in enumerate(blocks):
            basis[block, k] = self._values[block] * self._unit[block]
        basis[self._free, len(blocks) + np.arange(len(self._free))] = 1.0
        pushed = self._g @ basis
        inner = (basis.T @ pushed).astype(np.float64)
        inner[np.diag_indices(len(inner))] *= 1.0 + DAMPING
        inner[np.diag_indices(len(inner))] += 1e-12
        amount = -np.linalg.solve(inner, basis.T @ slope)
        factor = np.clip(amount[: len(blocks)], -0.02, 0.02)
        amount[: len(blocks)] = factor
        for k, block in enumerate(blocks):
            grid.steps[block] = (grid.steps[block] * (1.0 + factor[k])).astype(np.float32)
            self._values[block] = grid.integers[block] * grid.steps[block]
        self._values[self._free] += amount[len(blocks) :] / self._unit[self._free]
        return slope + pushed @ amount


def _round_block(upper: Float, carried: Float, values: Float, pinned: NDArray[np.bool_]) -> tuple[Float, Float]:
    """The best scale of a block, as a weight's (n,), and its integers (n,).

    Args:
        upper: (n, n) the block of the triangular factor. carried: (n,) what the weights rounded before left in its
            rows. values: (n,) to round, the pinned one last.
    """
    count = len(values)
    if np.all(values == 0.0):
        return np.ones(count), np.zeros(count)
    peak = np.max(np.abs(values))
    scales = symmetric_scales(peak * CLIP_FACTORS).astype(np.float64)
    moved, integers, cost = np.zeros((len(scales), count)), np.zeros((len(scales), count)), np.zeros(len(scales))
    for k in range(count - 1, -1, -1):
        left = carried[k] + moved[:, k + 1 :] @ upper[k, k + 1 :]
        wanted = (values[k] - left / upper[k, k]) / scales
        if pinned[k]:
            wanted = np.full(len(scales), np.copysign(WEIGHT_LIMIT, values[k]))
        integers[:, k] = np.clip(np.rint(wanted), -WEIGHT_LIMIT, WEIGHT_LIMIT)
        moved[:, k] = integers[:, k] * scales - values[k]
        cost += (left + upper[k, k] * moved[:, k]) ** 2
    best = int(np.argmin(cost))
    return np.full(count, scales[best]), integers[best]
