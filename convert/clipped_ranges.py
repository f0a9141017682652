"""Ranges of an int8 WaveNet's signals, clipped where that errs less.

Of most signals only rare moments need the whole range; a grid that ends before them is finer for all others. So every
range is shortened as far as the mean square of what rounding and clipping change gets smaller by it. Tried besides, on
three trained networks, and of no use: residual signals scaled to equal peaks of all channels, a last head fitted anew.
"""

from collections.abc import Mapping

import numpy as np

from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import Array
from neuralpedal.convert.calibration import Range
from neuralpedal.convert.wavenet_stretches import cut_stretches, play_stretches

SHARES = np.linspace(1.0, 0.3, 29)
"""Of a range, that are tried."""

_STEPS = 255
_VALUES_PER_STRETCH = 2000
_COUNTED_SAMPLES, _LANES = 8192, 2


def clipped_ranges(weights: WaveNetWeights, audio: Array, ranges: Mapping[str, Range], seed: int = 0
                   ) -> dict[str, Range]:
    """``ranges`` of signals over ``audio`` (T,), shortened for int8; a sum of head and dry signal keeps its own."""
    rng, heard = np.random.default_rng(seed), dict[str, list[Array]]()

    def note(name: str, signal: Array) -> Array:
        heard.setdefault(name, []).append(rng.choice(signal.ravel(), _VALUES_PER_STRETCH))
        return signal

    for dry in cut_stretches(weights, audio, _COUNTED_SAMPLES, _LANES):
        play_stretches(weights, dry, note)
    return {name: _clipped(seen, np.concatenate(heard[name])) if name in heard else seen
            for name, seen in ranges.items()}


def _clipped(seen: Range, values: Array) -> Range:
    def cost(share: float) -> float:
        step = max((seen.high - seen.low) * share / _STEPS, 1e-12)
        rounded = np.clip(np.rint(values / step) * step, seen.low * share, seen.high * share)
        return float(np.mean((rounded - values) ** 2))

    best = min(SHARES, key=cost)
    return Range(seen.low * best, seen.high * best)
