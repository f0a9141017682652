"""Dry against wet in many windows of a take: correlations of what is unpredictable in both.

Windows keep what one correlation over the whole take would smear: where the clocks of two recorders drift apart, each
window has its own latency.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from neuralpedal.contract.alignment import Alignment, read_between
from neuralpedal.train.inspection.whitening import FRAME_SAMPLES, ORDER, innovations

Signal = NDArray[np.float64]
Track = NDArray[np.float32]

NO_CLOCK = Alignment()
MAX_WINDOWS = 40
WINDOW_SAMPLES = 65536
SMALLEST_WINDOW_SAMPLES = 8192
_JITTER_SAMPLES = 0.05
_SHORTEST_STEP_SAMPLES = 256


@dataclass(frozen=True)
class Correlations:
    """Normalised cross-correlations per window.

    Attributes:
        values: (W, 2·max_lag + 1), a column for each lag from −max_lag to +max_lag samples; positive: wet is late.
        centres: (W,) middle of each window in the dry track, samples.
        max_lag_samples: the farthest lag.
    """

    values: Signal
    centres: NDArray[np.floating]
    max_lag_samples: int

    @property
    def lags(self) -> NDArray[np.int64]:
        """The lag of each column, samples."""
        return np.arange(-self.max_lag_samples, self.max_lag_samples + 1)

    def strengths(self) -> Signal:
        """Peak over rms of each window's correlation (W,): about 5 for tracks that have nothing in common."""
        rms = np.sqrt(np.mean(np.square(self.values), axis=1))
        return np.max(np.abs(self.values), axis=1) / np.maximum(rms, 1e-30)

    def around(self, lags: NDArray[np.floating], reach: int) -> Signal:
        """Each row cut to ±``reach`` about its own fractional lag, shifted there exactly (W, 2·reach + 1).

        Columns beyond the farthest lag are 0.
        """
        margin = 64
        whole = np.round(lags).astype(np.int64)
        width = 2 * (reach + margin) + 1
        columns = whole[:, np.newaxis] + self.max_lag_samples + np.arange(width) - reach - margin
        inside = (columns >= 0) & (columns < self.values.shape[1])
        cut = np.take_along_axis(self.values, np.clip(columns, 0, self.values.shape[1] - 1), axis=1) * inside
        turn = np.exp(2j * np.pi * fft.rfftfreq(width) * (lags - whole)[:, np.newaxis])
        return fft.irfft(fft.rfft(cut) * turn, width)[:, margin : width - margin]


@dataclass(frozen=True)
class DryWindows:
    """Windows of a dry track, made once for every look at its wet one.

    Attributes:
        innovations: (W, L).
        starts: (W,) first sample of each.
        total: samples of the track.
    """

    innovations: Signal
    starts: NDArray[np.int64]
    total: int


def cut_windows(dry: Track) -> DryWindows:
    """Up to ``MAX_WINDOWS`` windows, spread over the track (T,)."""
    total = len(dry)
    window = min(total, int(np.clip(total // 12, SMALLEST_WINDOW_SAMPLES, WINDOW_SAMPLES)))
    count = int(np.clip(total // window, 1, MAX_WINDOWS))
    starts = np.round(np.linspace(0, total - window, count)).astype(np.int64)
    rows = [_innovations_of_part(dry, int(start), int(start) + window, NO_CLOCK) for start in starts]
    return DryWindows(np.array(rows), starts, total)


def correlate(dry: DryWindows, wet: Track, max_lag_samples: int, clock: Alignment = NO_CLOCK) -> Correlations:
    """Correlations of each window with the wet track (T,) about it.

    Args:
        clock: the wet track is read along this latency and drift, and lags are what is left.
    """
    max_lag = min(max_lag_samples, dry.total // 2)
    rows = [_one(x, wet, int(start), max_lag, clock) for x, start in zip(dry.innovations, dry.starts, strict=True)]
    return Correlations(np.array(rows), dry.starts + 0.5 * dry.innovations.shape[1], max_lag)


def _one(x: Signal, wet: Track, start: int, max_lag: int, clock: Alignment) -> Signal:
    y = _innovations_of_part(wet, start - max_lag, start + len(x) + max_lag, clock)
    size = fft.next_fast_len(len(y), real=True)
    # Circular, and long enough: what wraps around lands beyond the farthest lag.
    correlation = fft.irfft(fft.rfft(y, size) * np.conj(fft.rfft(x, size)), size)[: 2 * max_lag + 1]
    energy = np.sum(x**2) * np.sum(y**2) * len(x) / len(y)
    return correlation / np.sqrt(energy + 1e-30)


def _innovations_of_part(track: Track, start: int, stop: int, clock: Alignment) -> Signal:
    """Innovations of track[start:stop], silent beyond its ends.

    More is read on either side: a cut is an edge, and one that both tracks share would look like a latency.
    """
    first, last = start - FRAME_SAMPLES, stop + FRAME_SAMPLES
    result = innovations(_read_in_steps(track, first, last, clock))
    for edge in (-first, len(track) - first):
        if 0 <= edge < len(result):
            result[max(0, edge - ORDER) : edge + ORDER] = 0.0
    return result[FRAME_SAMPLES : len(result) - FRAME_SAMPLES]


def _read_in_steps(track: Track, first: int, last: int, clock: Alignment) -> Track:
    """track[first:last] along ``clock``, which stands still for a few hundred samples at a time.

    Its jitter of a hundredth of a sample is lost in the correlation, and each step is one plain filter.
    """
    if not clock.drift_ppm:
        return read_between(track, first, last, clock.latency_samples, 1.0)
    step = max(_SHORTEST_STEP_SAMPLES, int(_JITTER_SAMPLES / abs(clock.drift_ppm * 1e-6)))
    edges = [*range(first, last, step), last]
    return np.concatenate([
        read_between(track, begin, end, clock.latency_samples + clock.drift_ppm * 5e-7 * (begin + end), 1.0)
        for begin, end in itertools.pairwise(edges)])
