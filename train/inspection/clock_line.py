"""Latency over time as a straight line: where it begins is latency, its slope is the drift of two clocks.

Some windows see nothing and report a lag at random, so the line is found by vote; its slope is then sharpened until
the average over all windows is as sharp as it can be.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.train.inspection.correlation import Correlations

Array = NDArray[np.floating]

MAX_DRIFT_PPM = 500.0
"""Beyond this it is no drift of crystals but another sample rate."""

_REACH = 96
_BEFORE, _AFTER = 8, 24
_STEPS = 24
_STEP_SAMPLES = 0.5
_FINEST_SAMPLES = 0.02


@dataclass(frozen=True)
class ClockLine:
    """lag(t) = middle_lag_samples + drift_ppm·1e-6·(t − middle), all in samples of the dry track.

    Attributes:
        agreeing: (W,) True for windows whose peak lies on the line.
        drift_error_ppm: standard error of the drift, from four groups of windows; infinite when there are too few.
        sharpness: energy about the peak of the windows' average, over that without drift.
    """

    middle: float
    middle_lag_samples: float
    drift_ppm: float
    agreeing: NDArray[np.bool_]
    drift_error_ppm: float = float("inf")
    sharpness: float = 1.0

    def lags(self, times: Array) -> Array:
        """The latency at ``times`` (W,), both in samples."""
        return self.middle_lag_samples + self.drift_ppm * 1e-6 * (times - self.middle)


def vote_line(times: Array, lags: Array, weights: Array, tolerance_samples: float) -> ClockLine:
    """The line through two windows (or a level one through one) that carries most weight within the tolerance."""
    first, second = np.triu_indices(len(times), 1)
    slopes = np.concatenate([np.zeros(len(times)),
                             (lags[second] - lags[first]) / np.maximum(times[second] - times[first], 1.0)])
    anchors = np.concatenate([np.arange(len(times)), first])
    near = np.abs(slopes) <= MAX_DRIFT_PPM * 1e-6
    slopes, anchors = slopes[near], anchors[near]
    starts = lags[anchors] - slopes * times[anchors]
    distance = np.abs(lags - starts[:, np.newaxis] - slopes[:, np.newaxis] * times)
    # The inner share of the vote prefers, of equally many, the closer line.
    votes = np.sum(weights * np.clip(1.5 - distance / tolerance_samples, 0.0, 1.0), axis=1)
    best = int(np.argmax(votes))
    agreeing = distance[best] <= tolerance_samples
    middle = float(np.average(times, weights=weights * agreeing))
    return ClockLine(middle, float(starts[best] + slopes[best] * middle), float(slopes[best] * 1e6), agreeing)


def sharpen_line(found: Correlations, line: ClockLine, weights: Array) -> ClockLine:
    """The line with the drift at which the windows' average holds the most energy about its peak, and its error."""
    span = float(np.ptp(found.centres))
    if len(found.centres) < 3 or span == 0.0:
        return dataclasses.replace(line, drift_ppm=0.0)
    drift = _sharpest_drift(found, line, weights)
    error = float("inf")
    if len(found.centres) >= 8:
        groups = [_sharpest_drift(found, line, weights * (np.arange(len(weights)) % 4 != group)) for group in range(4)]
        # Jackknife: each leaves a quarter out.
        error = float(np.sqrt(0.75 * np.sum(np.square(np.array(groups) - np.mean(groups)))))
    sharp, level = (dataclasses.replace(line, drift_ppm=ppm) for ppm in (drift, 0.0))
    gain = _energy_along(found, sharp, weights) / max(_energy_along(found, level, weights), 1e-30)
    return dataclasses.replace(sharp, drift_error_ppm=error, sharpness=gain)


def _energy_along(found: Correlations, line: ClockLine, weights: Array) -> float:
    rows = found.around(line.lags(found.centres), _REACH)
    return float(_peak_energy(np.sum(rows * weights[:, np.newaxis], axis=0, keepdims=True))[0])


def _sharpest_drift(found: Correlations, line: ClockLine, weights: Array) -> float:
    rows = found.around(line.lags(found.centres), _REACH) * weights[:, np.newaxis]
    spectra = np.fft.rfft(rows)
    turn = 2j * np.pi * np.fft.rfftfreq(rows.shape[1])
    span = float(np.ptp(found.centres))
    times = (found.centres - line.middle) / span
    best, step = 0.0, _STEP_SAMPLES
    while step >= _FINEST_SAMPLES:
        # In samples over the whole take: a step that the ear of the correlation can tell, whatever its length.
        candidates = best + step * np.arange(-_STEPS, _STEPS + 1)
        averages = np.array([np.sum(spectra * np.exp(turn * (times * change)[:, np.newaxis]), axis=0)
                             for change in candidates])
        best = float(candidates[np.argmax(_peak_energy(np.fft.irfft(averages, rows.shape[1])))])
        step /= 6.0
    return line.drift_ppm + best / span * 1e6


def _peak_energy(averages: Array) -> Array:
    """Energy (N,) from just before to just after the largest of each average (N, L)."""
    energy = np.concatenate([np.zeros((len(averages), 1)), np.cumsum(averages**2, axis=1)], axis=1)
    width = _BEFORE + _AFTER
    return np.max(energy[:, width:] - energy[:, :-width], axis=1)
