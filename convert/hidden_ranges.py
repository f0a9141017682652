"""How far the int8 grid of a hidden state should reach: as far as costs least, not as far as any unit ever went.

The rounding of hidden states is most of what ``w8a8`` loses, and their peaks are rare: a grid that clips them has finer
steps everywhere else. Each layer's range is made smaller as long as that brings the
simulated output nearer to the float network's, on calibration audio.
"""

from dataclasses import replace

import numpy as np

from neuralpedal.contract.arithmetic import Arithmetic, LayerArithmetic
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.weights import Array, NetworkWeights
from neuralpedal.convert.calibration import ActivationRanges, Range, calibrate
from neuralpedal.convert.scheme_arithmetic import float_arithmetic, grid_of
from neuralpedal.convert.signal_grids import tightest_grid
from neuralpedal.convert.simulation import Excerpt, Float, choose_excerpt, head_signal

SHARES = tuple(0.85**k for k in range(1, 8))
"""Of what was seen, tried from the largest down."""

_SECONDS, _WARM_UP_SAMPLES = 3.0, 2048
_PATIENCE = 2
"""Shares that may be worse than the best before the search ends."""


def w8a8_ranges(weights: NetworkWeights, audio: Array) -> ActivationRanges:
    """What a ``w8a8`` file's grids are made from. Raises RecordingError as :func:`calibrate`."""
    return clip_hidden_ranges(weights, calibrate(weights, audio), audio)


def clip_hidden_ranges(weights: NetworkWeights, ranges: ActivationRanges, audio: Array) -> ActivationRanges:
    """``ranges`` with those of the hidden states made smaller where that lowers the error on ``audio`` (T,) float32."""
    excerpt = choose_excerpt(audio, 0, weights, _SECONDS, _WARM_UP_SAMPLES)
    wanted = head_signal(weights, float_arithmetic(weights.spec), excerpt).ravel()
    if not np.any(wanted):
        return ranges
    hidden = ranges.hidden
    # The last layer first: the others are heard through it.
    for index in reversed(range(len(hidden))):
        hidden = _clip_layer(weights, hidden, index, excerpt, wanted)
    return replace(ranges, hidden=hidden)


def _clip_layer(weights: NetworkWeights, hidden: tuple[Range, ...], index: int, excerpt: Excerpt,
                wanted: Float) -> tuple[Range, ...]:
    best, least, worse = hidden, _cost(weights, hidden, excerpt, wanted), 0
    for share in SHARES:
        seen = hidden[index]
        tried = (*hidden[:index], Range(share * seen.low, share * seen.high), *hidden[index + 1 :])
        cost = _cost(weights, tried, excerpt, wanted)
        if cost < least:
            best, least, worse = tried, cost, 0
        else:
            worse += 1
        if worse == _PATIENCE:
            break
    return best


def _cost(weights: NetworkWeights, hidden: tuple[Range, ...], excerpt: Excerpt, wanted: Float) -> float:
    """ESR of the head's sums with nothing on a grid but the hidden states."""
    layers = tuple(LayerArithmetic(hidden=grid_of(tightest_grid(layer))) for layer in hidden)
    return esr(wanted, head_signal(weights, Arithmetic("free", layers), excerpt).ravel())
