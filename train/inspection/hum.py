"""Mains hum: 50 or 60 Hz and its harmonics, looked for where nobody plays.

A line must stand out at the fundamental or its double and at two more harmonics: a string that rings on one pitch has
other harmonics than these.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.train.inspection.problem import WARNING, Problem

Array = NDArray[np.float64]

MAINS_HZ = (50.0, 60.0)
HARMONICS = 6
STAND_OUT_DB = 12.0
LOUDEST_IGNORED_DBFS = -75.0
QUIET_DB = 20.0
"""Only passages that far below the loud ones are listened to."""
_WINDOW_S = 1.0
_MOST_WINDOWS = 8
_HALF_LINE_HZ = 2.0
_NEIGHBOURS_HZ = 12.0


@dataclass(frozen=True)
class Hum:
    """Hum of one track.

    Attributes:
        mains_hz: 50, 60, or 0 for none found.
        hum_dbfs: rms of all its lines; None when no quiet passage was long enough or none was found.
    """

    mains_hz: float = 0.0
    hum_dbfs: float | None = None

    def problems(self, path: Path, track: str) -> list[Problem]:
        """What follows; ``track`` begins the code."""
        if self.hum_dbfs is None:
            return []
        return [Problem(f"{track}_hum", WARNING, f"{path}: mains hum of {self.mains_hz:.0f} Hz at "
                                                 f"{self.hum_dbfs:.0f} dBFS in the pauses; look for a ground loop or "
                                                 "a bad power supply")]


def find_hum(samples: NDArray[np.float32], sample_rate_hz: int) -> Hum:
    """Look for hum in the quietest seconds of a track (T,)."""
    length = round(_WINDOW_S * sample_rate_hz)
    if len(samples) < 2 * length:
        return Hum()
    windows = np.lib.stride_tricks.sliding_window_view(samples, length)[:: length // 2]
    level = np.array([np.mean(np.square(window, dtype=np.float64)) for window in windows])
    quiet = np.argsort(level)[: min(_MOST_WINDOWS, max(1, len(level) // 10))]
    quiet = quiet[(level[quiet] < np.max(level) * 10.0 ** (-QUIET_DB / 10.0)) & (level[quiet] > 0.0)]
    if not len(quiet):
        return Hum()
    window = np.hanning(length)
    spectra = np.abs(np.fft.rfft(windows[quiet] * window)) ** 2
    # Power of a line: what a sine of that rms leaves in its bins.
    power = 2.0 * np.median(spectra, axis=0) / (length * np.sum(window**2))
    found = [(_lines(power, length / sample_rate_hz, mains), mains) for mains in MAINS_HZ]
    hum, mains = max(found)
    return Hum(mains, 10.0 * float(np.log10(hum))) if hum > 10.0 ** (LOUDEST_IGNORED_DBFS / 10.0) else Hum()


def _lines(power: Array, bins_per_hz: float, mains_hz: float) -> float:
    """Power of all lines that stand out, 0 when they are too few to be hum."""
    total, standing = 0.0, []
    for harmonic in range(1, HARMONICS + 1):
        middle = harmonic * mains_hz

        def band(low: float, high: float, middle: float = middle) -> Array:
            return power[max(0, round((middle + low) * bins_per_hz)) : round((middle + high) * bins_per_hz) + 1]

        line = band(-_HALF_LINE_HZ, _HALF_LINE_HZ)
        below, above = band(-_NEIGHBOURS_HZ, -2.0 * _HALF_LINE_HZ), band(2.0 * _HALF_LINE_HZ, _NEIGHBOURS_HZ)
        around = np.concatenate([below, above])
        # The middle three bins hold a line at the mains' own frequency; a string's is a semitone away.
        if np.max(line) == np.max(line[1:-1]) and np.max(line) > np.median(around) * 10.0 ** (STAND_OUT_DB / 10.0):
            standing.append(harmonic)
            total += float(np.sum(line))
    return total if len(standing) >= 3 and standing[0] <= 2 else 0.0
