"""Noise that the wet track adds by itself: what no network can predict from the dry one.

Measured where the dry track is quietest. The pedal amplifies the guitar's own hiss too, and that can be learned, so
only the part that is incoherent with the dry track counts. Where a take has no pause, playing that the pedal distorts
counts as noise as well, and the figure is an upper bound.

Source: Bendat, Piersol, "Random Data" (output noise of a linear system from ordinary coherence).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.train.inspection.faults import decibels
from neuralpedal.train.inspection.problem import INFO, WARNING, Problem

Track = NDArray[np.float32]

FRAME_SAMPLES = 1024
MOST_FRAMES, FEWEST_FRAMES = 400, 24
QUIET_SHARE = 0.02
PAUSE_DB = 40.0
"""A pause is that far below the dry track's top."""
ESR_LIMIT = 0.005


@dataclass(frozen=True)
class NoiseFloor:
    """Noise of the wet track.

    Attributes:
        noise_floor_db: rms, full scale 0 dB.
        esr_bound: noise energy over the wet track's: no model reaches a lower ESR.
        pause_db: how far below the dry track's loud end it was measured.
    """

    noise_floor_db: float
    esr_bound: float
    pause_db: float

    @property
    def in_pauses(self) -> bool:
        """False: there were no pauses, and the figures are upper bounds."""
        return self.pause_db >= PAUSE_DB

    def problems(self, dry: Path, wet: Path) -> list[Problem]:
        """What follows."""
        if not self.in_pauses:
            return [Problem("no_pause", INFO, f"{dry}: no pause in the playing (quietest part {self.pause_db:.0f} dB "
                                              f"below the loud one, wanted {PAUSE_DB:.0f}), so the noise floor is an "
                                              "upper bound; leave two seconds of silence in the take")]
        if self.esr_bound > ESR_LIMIT:
            return [Problem("noisy_wet", WARNING, f"{wet}: noise floor {self.noise_floor_db:.0f} dB: no model can "
                                                  f"reach an ESR below {self.esr_bound:.2g}; check cables, power "
                                                  "supply and gain of the re-amping chain")]
        return []


def measure_noise_floor(dry: Track, wet: Track) -> NoiseFloor:
    """Noise of an aligned pair, equally long tracks (T,)."""
    length = min(FRAME_SAMPLES, len(dry))
    x, y = (np.lib.stride_tricks.sliding_window_view(track, length)[:: max(1, length // 2)] for track in (dry, wet))
    level = np.mean(np.square(x, dtype=np.float64), axis=1)
    # Not digital silence alone: a fade-out at the ends of a file says nothing of the pedal's noise between them.
    count = int(np.clip(QUIET_SHARE * len(x), min(FEWEST_FRAMES, len(x)), MOST_FRAMES))
    quiet = np.argsort(level, kind="stable")[:count]
    # Noise is in every frame of the wet track, so its own quietest frames bound it too.
    wet_level = np.partition(np.mean(np.square(y, dtype=np.float64), axis=1), count - 1)[:count]
    noise = min(_incoherent_power(x[quiet].astype(np.float64), y[quiet].astype(np.float64)), float(np.mean(wet_level)))
    top = float(np.percentile(level, 99.0))
    return NoiseFloor(decibels(np.sqrt(noise)), noise / max(float(np.mean(np.square(wet, dtype=np.float64))), 1e-30),
                      decibels(np.sqrt(top / max(float(np.max(level[quiet])), 1e-15))))


def _incoherent_power(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Mean power of what in frames y (N, L) no linear filter of frames x (N, L) explains."""
    window = np.hanning(x.shape[1] + 2)[1:-1]
    X, Y = np.fft.rfft(x * window), np.fft.rfft(y * window)
    cross = np.abs(np.sum(Y * np.conj(X), axis=0)) ** 2
    explained = cross / np.maximum(np.sum(np.abs(X) ** 2, axis=0), 1e-30)
    # One frame's worth of noise is always explained by chance.
    rest = np.maximum(np.sum(np.abs(Y) ** 2, axis=0) - explained, 0.0) / max(len(x) - 1, 1)
    return float(2.0 * np.sum(rest) / (x.shape[1] * np.sum(window**2)))
