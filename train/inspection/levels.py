"""How the playing is spread from loud to soft: a network learns only what it has heard.

Levels are those of the dry track in frames of 50 ms, against the take's own loud end: gain staging is another matter.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.train.inspection.problem import INFO, WARNING, Problem

Array = NDArray[np.float64]

FRAME_S = 0.05
LOUD_RANGE_DB = 12.0
"""Loud playing is that close to the top."""
QUIET_RANGE_DB = (24.0, 50.0)
"""Quiet playing is that far below it; farther down is silence."""
SMALLEST_SHARE = 0.03
SILENCE_SHARE = 0.5
LOW_PEAK_DBFS = -20.0
SHORT_TAKE_S = 60.0


@dataclass(frozen=True)
class Levels:
    """Shares of the take, 0 to 1.

    Attributes:
        frame_dbfs: rms of every frame of the dry track (N,), floored at −120.
        top_dbfs: level that three frames in a thousand exceed.
    """

    frame_dbfs: Array
    top_dbfs: float
    loud_share: float
    quiet_share: float
    silent_share: float
    seconds: float

    def problems(self, path: Path) -> list[Problem]:
        """What follows, all about the dry track at ``path``."""
        found = []
        if self.loud_share < SMALLEST_SHARE:
            found.append(Problem("too_little_loud", WARNING,
                                 f"{path}: {self.loud_share:.1%} of the take is loud (within {LOUD_RANGE_DB:.0f} dB of "
                                 f"its top), wanted {SMALLEST_SHARE:.0%}; add a minute of hard strumming"))
        if self.quiet_share < SMALLEST_SHARE:
            found.append(Problem("too_little_quiet", WARNING,
                                 f"{path}: {self.quiet_share:.1%} of the take is soft ({QUIET_RANGE_DB[0]:.0f} to "
                                 f"{QUIET_RANGE_DB[1]:.0f} dB below its top), wanted {SMALLEST_SHARE:.0%}; add soft "
                                 "playing, or notes that ring out"))
        if self.silent_share > SILENCE_SHARE:
            found.append(Problem("mostly_silence", WARNING, f"{path}: {self.silent_share:.0%} of the take is silence, "
                                                            f"wanted below {SILENCE_SHARE:.0%}; cut the pauses"))
        if self.top_dbfs < LOW_PEAK_DBFS - 12.0:
            found.append(Problem("dry_level_low", WARNING, f"{path}: loud playing is at {self.top_dbfs:.0f} dBFS rms, "
                                                           "wanted above −32; record with more gain"))
        if self.seconds < SHORT_TAKE_S:
            found.append(Problem("short_take", INFO, f"{path}: {self.seconds:.0f} s; three minutes of varied playing "
                                                     "give a better network"))
        return found


def measure_levels(dry: NDArray[np.float32], sample_rate_hz: int) -> Levels:
    """Levels of a dry track (T,)."""
    frame = max(1, round(FRAME_S * sample_rate_hz))
    count = max(1, len(dry) // frame)
    frames = np.resize(dry, count * frame).reshape(count, frame).astype(np.float64)
    level = 10.0 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    top = float(np.percentile(level, 99.7))
    below = top - level
    near, far = QUIET_RANGE_DB
    return Levels(level, top, float(np.mean(below <= LOUD_RANGE_DB)),
                  float(np.mean((below > near) & (below <= far))), float(np.mean(below > far)),
                  len(dry) / sample_rate_hz)
