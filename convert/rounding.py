"""Weights put on their int8 grid so that the output moves least, not the weights.

Rounding every weight to its nearest step is best only if their errors do not meet at the output. They do: the output's
error energy is δᵀGδ (``sensitivity.py``), and one weight's error can be made good by another's. So scales, integers and
biases are chosen together (docs/quantization.md, ``rounding_problem.py``):

1. Biases can take any value; they are eliminated from G (Schur complement), that is, always at their best.
2. Weights are rounded one after the other, each to where it best makes good what was done to those before it: Babai's
   nearest plane in the Cholesky factor of G, which is what GPTQ does for one layer. Each scale is the best of several.
3. Single weights go one step up or down until no such flip lowers the error; scales are fitted anew.
4. The true error's gradient at the place reached replaces what the linear view promised, and 3 is done again.

G grows with the square of the number of weights. So a larger network is rounded part by part, each as if the others
were not rounded at all; they meet in the true error's gradient.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.rounding_problem import Float, Places, RoundingProblem, WeightGrid
from neuralpedal.convert.sensitivity import (
    Weights,
    checked_stretches,
    error_and_slope,
    flatten,
    measure_sensitivity,
    unflatten,
)
from neuralpedal.convert.weight_quantization import symmetric_scales

SCALES = ("channel", "gate")

LARGEST_PART = 6000
"""Weights whose G is measured at once: at most 0.14 GB for each of its five or so copies."""

LARGEST_NETWORK = 20_000
"""Weights of a network that is rounded jointly: LSTM 1×64 and 2×32 are. Its time grows with the square."""

_ROUNDS = 2
Watch = Callable[[float], None]
"""Is given the share that is done. A KeyboardInterrupt out of it ends the work early."""


def why_nearest(spec: NetworkSpec | WaveNetSpec) -> str | None:
    """Why the weights of such a network are not rounded together; None where they are."""
    if spec.num_parameters > LARGEST_NETWORK:
        # It would take hours, not minutes.
        return f"it has {spec.num_parameters} weights, more than the {LARGEST_NETWORK} that are rounded together"
    return None


def round_weights(weights: Weights, scales: str, audio: Array, vectors: int | None = None, seed: int = 0,
                  watch: Watch = lambda fraction: None) -> Weights:
    """The network with every matrix on its int8 grid, rounded for the smallest output error.

    The largest weight of each block lies at ±127 steps, so that ``weight_quantization`` finds these integers again.
    Biases move too. A network that lies on its grid is returned as it is; one without audio to judge by is rounded to
    nearest. Ctrl-C gives the best so far.

    Args:
        weights: of any family.
        scales: ``"channel"``, one per output channel; ``"gate"``, one per matrix of a gate.
        audio: (T,) float32, dry, calibration. vectors: gradients that each G is made of; more is slower and better.
    """
    blocks = scale_blocks(weights, scales)
    nearest, flat = _nearest(weights, blocks), flatten(weights)
    if np.all(np.abs(nearest.values(flat) - flat) <= 1e-4 * nearest.steps):
        return weights
    search = _Search(weights, nearest, audio, vectors, seed, watch)
    if audio.size and not is_silent(audio):
        # Of a chaotic network G may be no matrix that has a factor: then nearest it stays.
        with suppress(KeyboardInterrupt, np.linalg.LinAlgError):
            search.run()
    return unflatten(search.best, weights)


def nearest_weights(weights: Weights, scales: str) -> Weights:
    """The network with every matrix at the nearest points of its grid, as the builders would put it there."""
    return unflatten(_nearest(weights, scale_blocks(weights, scales)).values(flatten(weights)), weights)


def scale_blocks(weights: AnyWeights, scales: str) -> list[Places]:
    """Places, in the flat order, of the weights that share a scale, layer by layer; the head last."""
    if scales not in SCALES:
        raise ValueError(f"scales {scales!r}: not one of {', '.join(SCALES)}")
    blocks: list[Places] = []
    start, gates, biases = 0, 1, set()
    if isinstance(weights, NetworkWeights):
        gates = len(weights.spec.kind.gates)
        biases = {id(bias) for bias in weights.biases}
    for array in weights.arrays():
        # A convolution's taps lie over one another as its inputs do.
        places = np.arange(start, start + array.size).reshape(-1, array.shape[-1])
        start += array.size
        if array.ndim > 1 and id(array) not in biases:
            parts = places.shape[1] if scales == "channel" or places.shape[1] == 1 else gates
            blocks += [part.ravel() for part in np.split(places, parts, axis=1)]
    return blocks


def split_blocks(blocks: list[Places], largest: int) -> list[list[Places]]:
    """Blocks in runs of about ``largest`` weights at most, alike in size; a block is never cut."""
    total, done = sum(map(len, blocks)), 0
    runs: list[list[Places]] = [[] for _ in range(-(-total // largest))]
    for block in blocks:
        runs[int((done + len(block) / 2) * len(runs) / total)].append(block)
        done += len(block)
    return [run for run in runs if run]


def _nearest(weights: AnyWeights, blocks: list[Places]) -> WeightGrid:
    flat = flatten(weights)
    grid = WeightGrid(blocks, np.zeros(len(flat)), np.zeros(len(flat)), np.zeros(len(flat), dtype=bool))
    for block in blocks:
        largest = block[np.argmax(np.abs(flat[block]))]
        grid.steps[block] = symmetric_scales(np.abs(flat[[largest]]))[0]
        grid.integers[block] = np.rint(flat[block] / grid.steps[block])
        grid.pinned[largest] = True
        if flat[largest] == 0.0:
            grid.pinned[block] = True
    return grid


@dataclass(frozen=True)
class _Part:
    """Some blocks and all biases, at ``places`` of the flat order."""

    places: Places
    problem: RoundingProblem


class _Search:
    """From the nearest integers of a network of any class to better ones; ``best`` (P,) is the best so far."""

    def __init__(self, weights: Any, nearest: WeightGrid, audio: Array, vectors: int | None, seed: int,
                 watch: Watch) -> None:
        self._weights, self._nearest, self._audio = weights, nearest, audio
        self._vectors, self._seed, self._watch = vectors, seed, watch
        self._flat = flatten(weights)
        self.best = nearest.values(self._flat)

    def run(self) -> None:
        """All of it."""
        self._watch(0.0)
        least, _ = self._error_and_slope(self.best)
        values, parts = self._round()
        error, slope = self._error_and_slope(values)
        if error < least:
            self.best = values
            self._improve(error, slope, parts)

    def _improve(self, least: float, slope: Float, parts: list[_Part]) -> None:
        """Each part from ``best`` on by the true gradient there; a part that this did not help is done."""
        for turn in range(_ROUNDS):
            for part in tuple(parts):
                self._watch(0.8 + 0.2 * turn / _ROUNDS)
                values = self.best.copy()
                values[part.places] = part.problem.improve(values[part.places], slope[part.places])
                error, changed = self._error_and_slope(values)
                if error < least:
                    self.best, least, slope = values, error, changed
                else:
                    parts.remove(part)

    def _round(self) -> tuple[Float, list[_Part]]:
        """All blocks once, part after part, biases moved by each part's share."""
        values, parts = self._flat.copy(), []
        runs, free = split_blocks(self._nearest.blocks, LARGEST_PART), np.flatnonzero(self._nearest.steps == 0)
        for index, blocks in enumerate(runs):
            places = np.sort(np.concatenate([*blocks, free]))
            problem = self._problem(blocks, places, (index, len(runs)))
            values[places] += problem.solve() - self._flat[places]
            parts.append(_Part(places, problem))
        return values, parts

    def _problem(self, blocks: list[Places], places: Places, turn: tuple[int, int]) -> RoundingProblem:
        def watch(fraction: float) -> None:
            self._watch(0.8 * (turn[0] + 0.8 * fraction) / turn[1])

        vectors = self._vectors or max(512, min(len(places), 6144))
        sensitivity = measure_sensitivity(self._weights, self._audio, vectors, self._seed, places, watch)
        return RoundingProblem(sensitivity, self._flat[places], self._nearest.part(blocks, places))

    def _error_and_slope(self, values: Float) -> tuple[float, Float]:
        return error_and_slope(self._weights, unflatten(values, self._weights), self._audio,
                               checked_stretches(self._weights), self._seed + 1)
