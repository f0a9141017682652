"""How a wet track was moved onto its dry one: found once in training, applied again by whoever re-reads the recordings.

Training, conversion and evaluation must shift the same files by the same amount, or the figures of one mean nothing to
the next. So the correction is three numbers in ``training.json``, and this file is the only one that applies them.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from neuralpedal.contract.audio import Recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.pair import RecordingPair

HALF_WIDTH_SAMPLES = 32
"""Neighbours on either side that interpolation reads."""

_PHASES = 512
_KAISER_BETA = 9.0
_BLOCK_SAMPLES = 1 << 13
_WHOLE = 1e-6


class Alignment(BaseModel):
    """A correction of the wet track; the default does nothing.

    Attributes:
        latency_samples: how late the wet track begins, fractional; negative: it leads.
        inverted: its polarity is to be reversed.
        drift_ppm: how much later it grows, in samples per million samples of the dry track.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_samples: float = Field(default=0.0, allow_inf_nan=False)
    inverted: bool = False
    drift_ppm: float = Field(default=0.0, ge=-1000.0, le=1000.0, allow_inf_nan=False)

    @property
    def is_identity(self) -> bool:
        """True when there is nothing to correct."""
        return self == Alignment()

    def apply(self, pair: RecordingPair) -> RecordingPair:
        """The pair with wet moved onto dry, both cut to where they overlap; the tracks keep their paths.

        A whole latency without drift leaves every sample as it was; anything else is interpolated (Kaiser-windowed
        sinc, flat to 0.9 of Nyquist).

        Raises:
            RecordingError: no overlap is left.
        """
        if self.is_identity:
            return pair
        total, rate = len(pair.wet.samples), 1.0 + self.drift_ppm * 1e-6
        start = max(0, int(np.ceil(-self.latency_samples / rate - _WHOLE)))
        stop = min(total, int(np.floor((total - 1 - self.latency_samples) / rate + _WHOLE)) + 1)
        if stop <= start:
            raise RecordingError(f"{pair.wet.path}: a latency of {self.latency_samples:.1f} samples leaves nothing of "
                                 f"{total} that overlaps {pair.dry.path}; are they the same take?")
        wet = read_between(pair.wet.samples, start, stop, self.latency_samples, rate)
        if self.inverted:
            wet = -wet
        return RecordingPair(Recording(pair.dry.samples[start:stop], pair.sample_rate_hz, pair.dry.path),
                             Recording(wet, pair.sample_rate_hz, pair.wet.path), pair.warnings)


def read_between(samples: NDArray[np.float32], start: int, stop: int, latency: float,
                 rate: float) -> NDArray[np.float32]:
    """``samples`` (T,) at the places latency + n·rate, n from ``start`` to ``stop`` − 1; silence beyond the ends."""
    result = np.empty(stop - start, np.float32)
    for first in range(start, stop, _BLOCK_SAMPLES):
        last = min(stop, first + _BLOCK_SAMPLES)
        result[first - start : last - start] = _read_block(samples, latency + rate * np.arange(first, last))
    return result


def _read_block(samples: NDArray[np.float32], places: NDArray[np.floating]) -> NDArray[np.float64]:
    """Interpolate at ``places`` (N,), which rise."""
    before = np.floor(places + _WHOLE).astype(np.int64)
    begin, end = int(before[0]) - HALF_WIDTH_SAMPLES + 1, int(before[-1]) + HALF_WIDTH_SAMPLES + 1
    inside = samples[min(max(begin, 0), len(samples)) : max(end, 0)]
    around = np.zeros(end - begin)
    around[min(max(-begin, 0), len(around)) :][: len(inside)] = inside
    phase = np.clip(places - before, 0.0, 1.0) * _PHASES
    if np.all(phase < _WHOLE * 2 * _PHASES):
        return around[before - begin]
    row = np.minimum(phase.astype(np.int64), _PHASES - 1)
    if np.ptp(phase) < _WHOLE * _PHASES:
        taps = _TABLE[row[0]] + (phase[0] - row[0]) * (_TABLE[row[0] + 1] - _TABLE[row[0]])
        return np.correlate(around, taps, "valid")
    neighbours = np.lib.stride_tricks.sliding_window_view(around, 2 * HALF_WIDTH_SAMPLES)[before - before[0]]
    low, high = (np.einsum("ij,ij->i", neighbours, _TABLE[r]) for r in (row, row + 1))
    return low + (phase - row) * (high - low)


def _sinc_table() -> NDArray[np.float64]:
    """Interpolation taps (PHASES + 1, 2·HALF_WIDTH): row p reads p/PHASES of a sample past the middle."""
    fraction = np.arange(_PHASES + 1)[:, np.newaxis] / _PHASES
    distance = np.arange(1 - HALF_WIDTH_SAMPLES, HALF_WIDTH_SAMPLES + 1) - fraction
    inside = np.sqrt(np.clip(1.0 - (distance / HALF_WIDTH_SAMPLES) ** 2, 0.0, 1.0))
    taps = np.sinc(distance) * np.i0(_KAISER_BETA * inside) / np.i0(_KAISER_BETA)
    # A constant must stay that constant between samples too.
    return taps / np.sum(taps, axis=1, keepdims=True)


_TABLE = _sinc_table()
