"""Effects that a small LSTM cannot learn: echoes and reverb (memory too long), tremolo, phaser, chorus (a clock of
their own).

Echoes follow the guitar and never precede it, so the correlation at negative lags says what repetition is the
player's. What moves by itself shows as a rhythm in how loud the wet track is for the same dry level, band by band.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from neuralpedal.train.inspection.latency import LatencyEstimate
from neuralpedal.train.inspection.problem import WARNING, Problem

Array = NDArray[np.float64]
Track = NDArray[np.float32]

LATE_S = (0.04, 0.45)
"""Later than any filter of a distortion pedal rings."""
ECHO_LIMIT_DB = -26.0
LATE_ENERGY_LIMIT_DB = -10.0
CHANCE_EXCESS = 1.5
"""Late energy over that before the guitar: what repetition and chance alone may reach."""
RHYTHM_HZ = (0.4, 12.0)
RHYTHM_DEPTH_LIMIT_DB = 1.3
RHYTHM_CLEARNESS_LIMIT = 28.0
"""Overdrives played in time reach 1.25 dB and 27, a flanger or tremolo at half depth 1.4 dB and more, and 30 to 200."""

_FRAME_S = 0.032
_BANDS_HZ = (150, 250, 400, 650, 1000, 1600, 2500, 4000, 6500)
_AUDIBLE_DB = 50.0
_GUARD_S = 0.001


@dataclass(frozen=True)
class Effects:
    """What was found beyond a pedal's own memory.

    Attributes:
        echo_ms, echo_db: the clearest echo and its level against the direct sound, None without one.
        late_energy_db: energy after 40 ms against before, less what repetition explains; −100 for none.
        rhythm_hz, rhythm_db: rate and rms depth of the clearest modulation that the playing does not explain.
        rhythm_clearness: its power over the other rates'.
    """

    echo_ms: float | None
    echo_db: float | None
    late_energy_db: float
    rhythm_hz: float
    rhythm_db: float
    rhythm_clearness: float

    @property
    def modulated(self) -> bool:
        """True when a modulation is clear and deep enough to matter."""
        return self.rhythm_clearness > RHYTHM_CLEARNESS_LIMIT and self.rhythm_db > RHYTHM_DEPTH_LIMIT_DB

    def problems(self, wet: Path) -> list[Problem]:
        """What follows."""
        found = []
        if self.echo_ms is not None:
            found.append(Problem("echo", WARNING, f"{wet}: an echo {self.echo_ms:.0f} ms behind the guitar "
                                                  f"({self.echo_db:.0f} dB): a network of this size cannot learn it; "
                                                  "switch delays off while recording and add them after"))
        elif self.late_energy_db > LATE_ENERGY_LIMIT_DB:
            found.append(Problem("reverb", WARNING, f"{wet}: a tail beyond {1e3 * LATE_S[0]:.0f} ms "
                                                    f"({self.late_energy_db:.0f} dB of the direct sound), as of reverb "
                                                    "or a room; switch it off while recording and add it after"))
        if self.modulated:
            found.append(Problem("time_varying", WARNING, f"{wet}: changes by itself {self.rhythm_hz:.1f} times a "
                                                          f"second (±{self.rhythm_db:.1f} dB), as tremolo, phaser or "
                                                          "chorus do: a network cannot learn a clock of its own; "
                                                          "switch it off"))
        return found


def find_effects(dry: Track, wet: Track, estimate: LatencyEstimate, sample_rate_hz: int) -> Effects:
    """Look for effects in an aligned pair (T,) whose latency was estimated before alignment."""
    echo_ms, echo_db, late_db = _late(estimate, sample_rate_hz)
    return Effects(echo_ms, echo_db, late_db, *_rhythm(dry, wet, sample_rate_hz))


def _late(estimate: LatencyEstimate, rate_hz: int) -> tuple[float | None, float | None, float]:
    found = estimate.correlations
    lag = np.round(estimate.line.lags(found.centres)).astype(np.int64)
    reach = found.max_lag_samples - int(np.max(np.abs(lag))) - 1
    near, far = round(LATE_S[0] * rate_hz), min(round(LATE_S[1] * rate_hz), reach)
    if far < 2 * near:
        return None, None, -100.0
    columns = found.max_lag_samples + lag[:, np.newaxis] + np.arange(-far, far + 1)
    weights = np.maximum(found.strengths() - 6.0, 0.0) + 1e-6
    average = np.average(np.take_along_axis(found.values, columns, axis=1), axis=0, weights=weights)
    after, before, direct = average[far + near :], average[far - near :: -1], average[far - near : far + near]
    top = float(np.max(np.abs(direct)))
    peak = int(np.argmax(np.abs(after)))
    height, chance = float(np.abs(after[peak])), float(np.max(np.abs(before)))
    late, chance_energy = float(np.sum(after**2)), float(np.sum(before**2))
    excess = (late - chance_energy) / np.sum(direct**2) if late > CHANCE_EXCESS * chance_energy else 0.0
    late_db = 10.0 * float(np.log10(max(excess, 1e-10)))
    level_db = 20.0 * float(np.log10(max(height / top, 1e-10)))
    if height > 2.0 * chance and level_db > ECHO_LIMIT_DB:
        return 1e3 * (peak + near) / rate_hz, level_db, late_db
    return None, None, late_db


def _rhythm(dry: Track, wet: Track, rate_hz: int) -> tuple[float, float, float]:
    """Rate in Hz, rms depth in dB and clearness of what moves by itself."""
    x, y, frame_hz = *(_band_levels(track, rate_hz) for track in (dry, wet)), 2.0 / _FRAME_S
    if x.shape[1] < 64:
        return 0.0, 0.0, 0.0
    spectrum, depth, bands = np.zeros(0), np.zeros(0), 0
    for dry_db, wet_db in zip(x, y, strict=True):
        heard = dry_db > np.max(dry_db) - _AUDIBLE_DB
        if np.count_nonzero(heard) < 0.2 * len(heard):
            continue
        surplus = np.where(heard, _unexplained(dry_db, wet_db, heard), 0.0)
        rates, power = signal.welch(surplus, frame_hz, nperseg=min(512, len(surplus)), detrend="constant")
        shown = (rates >= RHYTHM_HZ[0]) & (rates <= RHYTHM_HZ[1])
        rates, power = rates[shown], power[shown]
        relative = power / max(float(np.median(power)), 1e-12)
        spectrum = relative if not bands else spectrum + relative
        depth = power if not bands else depth + power
        bands += 1
    if not bands:
        return 0.0, 0.0, 0.0
    at = int(np.argmax(spectrum))
    width = float(rates[1] - rates[0])
    line = np.sum(depth[max(0, at - 1) : at + 2]) / bands * width
    return float(rates[at]), float(np.sqrt(line)), float(spectrum[at] / bands)


def _band_levels(track: Track, rate_hz: int) -> Array:
    """Levels in dB (bands, frames), two frames per ``_FRAME_S``."""
    length = round(_FRAME_S * rate_hz)
    frames = np.lib.stride_tricks.sliding_window_view(track, min(length, len(track)))[:: max(1, length // 2)]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]).astype(np.float32))) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(frames.shape[1], 1.0 / rate_hz), _BANDS_HZ)
    bands = [spectra[:, low : max(low + 1, high)].sum(axis=1) for low, high in itertools.pairwise(edges)]
    return 10.0 * np.log10(np.array(bands) + 1e-10)


def _unexplained(dry_db: Array, wet_db: Array, heard: NDArray[np.bool_]) -> Array:
    """The wet level less what that dry level usually gives (median of 24 classes of dry level), dB."""
    edges = np.quantile(dry_db[heard], np.linspace(0.0, 1.0, 25)[1:-1])
    group = np.searchsorted(edges, dry_db)
    usual = np.array([np.median(wet_db[heard & (group == index)]) if np.any(heard & (group == index)) else 0.0
                      for index in range(25)])
    return np.clip(wet_db - usual[group], -20.0, 20.0)
