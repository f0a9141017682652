"""Whether the validation part is heard in the training part already: then its ESR flatters.

A loop or a pasted riff repeats to the sample, which no player does. Both parts are thinned to about 6 kHz first: what
matters of a guitar is below.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from neuralpedal.train.inspection.problem import WARNING, Problem

Array = NDArray[np.float64]

PIECE_S = 1.0
PIECES = 6
SAME = 0.98
"""Correlation of one second with another: played twice they reach about 0.8."""
SHARE_LIMIT = 0.2
_THIN_HZ = 6000


def repeated_share(dry: NDArray[np.float32], boundary: int, sample_rate_hz: int) -> float:
    """Share of the validation part (from sample ``boundary`` on) that the training part holds already, 0 to 1."""
    factor = max(1, sample_rate_hz // _THIN_HZ)
    training, validation = (_thin(part, factor) for part in (dry[:boundary], dry[boundary:]))
    length = round(PIECE_S * sample_rate_hz / factor)
    if len(validation) < length or len(training) < length:
        return 0.0
    starts = np.unique(np.linspace(0, len(validation) - length, PIECES).astype(np.int64))
    pieces = np.stack([validation[start : start + length] for start in starts])
    energy = np.sum(pieces**2, axis=1)
    heard = energy > 1e-4 * np.mean(training**2) * length
    if not np.any(heard):
        return 0.0
    best = _best_match(training, pieces[heard])
    return float(np.mean(best > SAME))


def overlap_problems(share: float, path: Path) -> list[Problem]:
    """What follows."""
    if share <= SHARE_LIMIT:
        return []
    return [Problem("validation_overlap", WARNING, f"{path}: {share:.0%} of its validation part (the end) repeats the "
                                                   "training part sample by sample, so the ESR will flatter; record "
                                                   "something new for the end, not a loop")]


def _best_match(training: Array, pieces: Array) -> Array:
    """The largest correlation (N,) of each piece (N, L) with any stretch of ``training`` (T,)."""
    length = pieces.shape[1]
    size = fft.next_fast_len(len(training) + length, real=True)
    spectrum = fft.rfft(training, size)
    energy = np.concatenate([[0.0], np.cumsum(training**2)])
    norm = np.sqrt(np.maximum(energy[length:] - energy[:-length], 1e-12))
    best = []
    for piece in pieces:
        dot = fft.irfft(spectrum * np.conj(fft.rfft(piece, size)), size)[: len(norm)]
        best.append(float(np.max(np.abs(dot) / (norm * np.linalg.norm(piece)))))
    return np.array(best)


def _thin(track: NDArray[np.float32], factor: int) -> Array:
    whole = len(track) // factor * factor
    return track[:whole].reshape(-1, factor).mean(axis=1, dtype=np.float64)
