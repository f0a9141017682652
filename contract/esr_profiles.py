"""Where in a take the error is: ESR over time, and over how hard the guitar was played.

One ESR of a whole take is the ESR of its loudest seconds. A model that gates soft notes, or falls apart on one chord,
has the same figure as one that is a little wrong everywhere; a listener tells them apart at once.

Every row pools energies, Σ(y−ŷ)² / Σy², instead of averaging ratios: so loud and quiet windows of one row weigh as they
sound, and rows weighted with their energies give back the ESR. Signals as in :mod:`neuralpedal.contract.metrics`.

Source: Wright et al. 2020 for ESR; levels are rms against 1, like ``SILENCE_RMS`` of
:mod:`neuralpedal.contract.audio`.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.metrics import decibels, target_and_error

Signal = NDArray[Any]
Row = dict[str, float | None]

TIME_STEP_SECONDS = 0.5
LEVEL_WINDOW_SECONDS = 0.05
"""Long enough for one period of the lowest string (82 Hz: 12 ms), short enough to follow a decaying note."""

LEVEL_EDGES_DBFS = tuple(range(-60, 1, 6))
SILENT_DBFS = -80.0
"""Rows whose wet rms is lower have no ESR: dividing by the hiss of a pause says nothing about a pedal."""


def esr_over_time(target: Signal, prediction: Signal, sample_rate_hz: int) -> list[Row]:
    """ESR of each half second; the last row is what remains.

    Returns:
        Rows of ``start_seconds``, ``esr`` (None where the target is below −80 dBFS) and ``wet_dbfs``.

    Raises:
        RecordingError: shapes differ.
    """
    y, error = target_and_error(target, prediction)
    step = max(1, round(TIME_STEP_SECONDS * sample_rate_hz))
    starts = np.arange(0, len(y), step)
    energies, errors = (np.add.reduceat(np.square(signal), starts) for signal in (y, error))
    counts = np.diff(np.append(starts, len(y)))
    return [{"start_seconds": float(start / sample_rate_hz), "esr": _pooled_esr(error_energy, wet_energy, count),
             "wet_dbfs": _level_dbfs(wet_energy, count)}
            for start, wet_energy, error_energy, count in zip(starts, energies, errors, counts, strict=True)]


def esr_over_level(dry: Signal, target: Signal, prediction: Signal, sample_rate_hz: int) -> list[Row]:
    """ESR over the level of the input, in steps of 6 dB from −60 to 0 dBFS.

    Windows of 50 ms are sorted by the rms of ``dry``; those below −60 dBFS are pauses and counted nowhere. What sounds
    in a window may have been played before it, as a pedal's tail; at 50 ms that is little.

    Returns:
        One row per step, quietest first: ``from_dbfs``, ``to_dbfs``, ``seconds`` (how much of the take) and ``esr``,
        None where nothing was played or the target is below −80 dBFS.

    Raises:
        RecordingError: shapes differ.
    """
    y, error = target_and_error(target, prediction)
    x = np.asarray(dry, dtype=np.float64)
    if x.shape != y.shape:
        raise RecordingError(f"dry has shape {x.shape}, target {y.shape}; wanted two equal lengths")
    window = max(1, round(LEVEL_WINDOW_SECONDS * sample_rate_hz))
    dry_energy, wet_energy, error_energy = (_window_energies(signal, window) for signal in (x, y, error))
    levels_dbfs = 10.0 * np.log10(np.maximum(dry_energy / window, 1e-30))
    # Above the second-last edge all is loud, also a float file's rms beyond full scale.
    bins = np.digitize(levels_dbfs, LEVEL_EDGES_DBFS[:-1]) - 1
    rows: list[Row] = []
    for index, (low, high) in enumerate(pairwise(LEVEL_EDGES_DBFS)):
        chosen = bins == index
        count = int(np.count_nonzero(chosen)) * window
        rows.append({"from_dbfs": float(low), "to_dbfs": float(high), "seconds": count / sample_rate_hz,
                     "esr": _pooled_esr(np.sum(error_energy[chosen]), np.sum(wet_energy[chosen]), count)})
    return rows


def _window_energies(signal: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Σx² of each whole window, (T // window,); an incomplete last one is left out."""
    whole = len(signal) // window * window
    return np.sum(np.square(signal[:whole]).reshape(-1, window), axis=1)


def _pooled_esr(error_energy: Any, wet_energy: Any, count: Any) -> float | None:
    if _level_dbfs(wet_energy, count) < SILENT_DBFS:
        return None
    return float(error_energy / wet_energy)


def _level_dbfs(energy: Any, count: Any) -> float:
    return decibels(np.sqrt(energy / max(1, count)))
