"""What can be wrong with one track by itself: clipping, DC, silence.

A wet track may clip as much as its pedal likes; only a converter that ran out of numbers repeats its largest one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.audio import is_silent
from neuralpedal.train.inspection.problem import ERROR, WARNING, Problem

Track = NDArray[np.float32]

CLIPPED_RUN_SAMPLES = 3
"""Fewer equal samples at the extreme are a wave's top."""
CLIPPED_SAMPLES = 12
DC_LIMIT = 0.003
"""−50 dBFS."""
_NEAR_EXTREME = 1e-4
_SMALLEST_EXTREME = 0.05


@dataclass(frozen=True)
class TrackFaults:
    """Figures of one track, full scale ±1.

    Attributes:
        clipped_samples: in runs of three or more at the extreme.
        dc_offset: mean.
        peak_dbfs, rms_dbfs: −300 for silence.
    """

    clipped_samples: int
    dc_offset: float
    peak_dbfs: float
    rms_dbfs: float
    silent: bool

    def problems(self, path: Path, track: str) -> list[Problem]:
        """What follows from the figures; ``track`` is ``dry`` or ``wet`` and begins the codes."""
        if self.silent:
            return [Problem(f"{track}_silent", ERROR, f"{path}: silent (rms {self.rms_dbfs:.0f} dBFS, wanted above "
                                                      "−100); check the cable and record it again")]
        found = []
        if self.clipped_samples >= CLIPPED_SAMPLES:
            found.append(Problem(f"{track}_clipped", WARNING,
                                 f"{path}: {self.clipped_samples} samples stand still at the extreme "
                                 f"({self.peak_dbfs:.1f} dBFS): the converter clipped; record it again with less gain"))
        if abs(self.dc_offset) > DC_LIMIT:
            found.append(Problem(f"{track}_dc", WARNING,
                                 f"{path}: DC offset {self.dc_offset:+.4f}, wanted below {DC_LIMIT}; high-pass it at "
                                 "5 Hz, or mend the interface's input"))
        return found


def find_faults(samples: Track) -> TrackFaults:
    """Measure one track (T,)."""
    return TrackFaults(clipped_samples(samples), float(np.mean(samples, dtype=np.float64)),
                       decibels(float(np.max(np.abs(samples)))),
                       decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))), is_silent(samples))


def clipped_samples(samples: Track) -> int:
    """Samples in runs of :data:`CLIPPED_RUN_SAMPLES` or more at the track's largest or smallest value."""
    return sum(_at_extreme(side) for side in (samples, -samples))


def _at_extreme(samples: Track) -> int:
    top = float(np.max(samples))
    if top < _SMALLEST_EXTREME:
        return 0
    flat = np.concatenate([[False], samples >= top * (1.0 - _NEAR_EXTREME), [False]])
    begins, ends = np.flatnonzero(flat[1:] & ~flat[:-1]), np.flatnonzero(~flat[1:] & flat[:-1])
    runs = ends - begins
    return int(np.sum(runs[runs >= CLIPPED_RUN_SAMPLES]))


def decibels(ratio: float) -> float:
    """20·log10, −300 for nothing."""
    return 20.0 * float(np.log10(max(ratio, 1e-15)))
