"""Roughly how late a wet track is, from when the playing grows louder: for takes whose fine structure tells nothing.

A take that begins seconds late, or whose delay swings, has no peak in the correlation of its innovations. Attacks
survive both, and hardly any pedal hides them in all of six octaves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Track = NDArray[np.float32]
Array = NDArray[np.floating]

FARTHEST_S = 3.0
CLEARNESS_LIMIT = 1.6
"""Same takes reach 2.1 to 14, other ones 1.0 to 1.4; those that repeat every beat to the sample, 1.0 to 1.4 too."""
LONGEST_S = 60.0
_HOP_S = 0.004
_BANDS_HZ = (80, 200, 400, 800, 1600, 3200, 6400)
_FLOOR = 1e-6
_NEIGHBOURHOOD = 8


@dataclass(frozen=True)
class RoughLag:
    """A latency good to some milliseconds.

    Attributes:
        samples: positive: wet is late.
        clearness: of its peak against the next highest.
    """

    samples: int
    clearness: float

    @property
    def clear(self) -> bool:
        """False when another lag would do nearly as well."""
        return self.clearness > CLEARNESS_LIMIT


def find_rough_lag(dry: Track, wet: Track, sample_rate_hz: int) -> RoughLag:
    """Compare the attacks in the middle of equally long tracks (T,) up to half their length or ``FARTHEST_S`` apart."""
    shown = min(len(dry), round(LONGEST_S * sample_rate_hz))
    start = (len(dry) - shown) // 2
    hop = round(_HOP_S * sample_rate_hz)
    if shown < 64 * hop:
        return RoughLag(0, 0.0)
    x, y = (_attacks(track[start : start + shown], hop, sample_rate_hz) for track in (dry, wet))
    count = x.shape[1]
    farthest = min(round(FARTHEST_S * sample_rate_hz / hop), count // 2)
    size = fft.next_fast_len(2 * count, real=True)
    whole = fft.irfft(np.sum(fft.rfft(y, size) * np.conj(fft.rfft(x, size)), axis=0), size)
    correlation = np.concatenate([whole[-farthest:], whole[: farthest + 1]])
    at = int(np.argmax(correlation))
    elsewhere = np.delete(correlation, np.s_[max(0, at - _NEIGHBOURHOOD) : at + _NEIGHBOURHOOD + 1])
    clearness = float(correlation[at] / max(float(np.max(elsewhere)), 1e-12))
    return RoughLag((at - farthest) * hop, clearness if correlation[at] > 0.0 else 0.0)


def _attacks(track: Track, hop: int, rate_hz: int) -> Array:
    """How fast the level rises (bands, frames), mean 0."""
    length = 4 * hop
    frames = np.lib.stride_tricks.sliding_window_view(track, length)[::hop]
    power = np.abs(fft.rfft(frames * np.hanning(length).astype(np.float32))) ** 2
    edges = np.minimum(np.searchsorted(np.fft.rfftfreq(length, 1.0 / rate_hz), _BANDS_HZ), power.shape[1] - 1)
    bands = np.add.reduceat(power, edges, axis=1)[:, :-1].T
    level = np.log10(bands + _FLOOR * np.max(bands, axis=1, keepdims=True) + 1e-12)
    rises = np.maximum(level[:, 2:] - level[:, :-2], 0.0)
    return rises - np.mean(rises, axis=1, keepdims=True)
