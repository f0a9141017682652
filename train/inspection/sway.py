"""Whether the wet track's delay swings by itself, as vibrato and chorus make it: then it has no latency to correct.

A pedal's own phase turns with every note, so the delay of a short frame says little; but from one frame to the next,
within a note, that phase stays and cancels, and what is left is how far the delay has moved meanwhile. A clock of its
own is a line in the spectrum of that speed. Of a chorus that is mixed with the direct sound half the swing is seen.

A frame holds 85 ms, so a latency known to 6 ms will do, and drifting clocks change nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from neuralpedal.contract.alignment import read_between
from neuralpedal.train.inspection.problem import WARNING, Problem

Track = NDArray[np.float32]
Array = NDArray[np.floating]

STRENGTH_LIMIT = 7.0
"""Without modulation, from a wire to a hard fuzz in takes of 8 to 30 s, at most 4.5 was measured, 5.0 with a tremolo.
In 20 s with ±30 to ±150 samples at 0.3 to 8 Hz 10 to 86 all wet and mostly 8 to 50 half wet; with ±10 samples 5 to 66
and 3 to 50, the least at the lowest rates."""
FULL_DEPTH_S = 4e-5
"""Strict playing turns a clean pedal's phase clearly (6.3), but by 0.2 samples, or 1.1 where the lag is 300 samples
off; so below 1.9 samples at 48 kHz a line counts the less, the shallower."""

RATES_HZ = (0.25, 10.0)
FEWEST_PERIODS = 2.0
LONGEST_S = 45.0
_THIN_HZ = 6000
"""Twice the highest frequency looked at. Higher ones turn too fast to say how far."""
_FRAME_S = 0.085
_HOP_S = _FRAME_S / 4
_LOWEST_HZ = 50.0
_FASTEST_S = 8e-4
_STEP_S = 1e-5
_FEWEST_FRAMES = 150
_AUDIBLE = 1e-5


@dataclass(frozen=True)
class Sway:
    """A periodic movement of the delay.

    Attributes:
        sway_hz, sway_ms: rate, and how far to either side at least (fast and mixed ones move farther than is seen).
        sway_clearness: its line in the spectrum over the usual one.
    """

    sway_hz: float = 0.0
    sway_ms: float = 0.0
    sway_clearness: float = 0.0

    @property
    def strength(self) -> float:
        """The clearness of what is deep enough to matter."""
        return self.sway_clearness * min(1.0, 1e-3 * self.sway_ms / FULL_DEPTH_S)

    @property
    def clear(self) -> bool:
        """True when a clock of its own moves the delay."""
        return self.strength > STRENGTH_LIMIT

    def problems(self, wet: Path) -> list[Problem]:
        """What follows."""
        if not self.clear:
            return []
        return [Problem("time_varying", WARNING, f"{wet}: its delay swings by ±{self.sway_ms:.2f} ms or more, "
                                                 f"{self.sway_hz:.1f} times a second, as vibrato and chorus do: a "
                                                 "network cannot learn a clock of its own, and no latency can be told "
                                                 "(nothing is corrected); switch it off")]


NO_SWAY = Sway()


def find_sway(dry: Track, wet: Track, lag_samples: int, sample_rate_hz: int) -> Sway:
    """Look at equally long tracks (T,), ``wet`` about ``lag_samples`` late; below four seconds nothing is found."""
    factor = max(1, sample_rate_hz // _THIN_HZ)
    rate_hz = sample_rate_hz / factor
    shown = min(len(dry), round(LONGEST_S * sample_rate_hz))
    start = (len(dry) - shown) // 2
    moved = read_between(wet, start, start + shown, lag_samples, 1.0)
    x, y = (signal.resample_poly(track, 1, factor) for track in (dry[start : start + shown], moved))
    if len(x) < (_FEWEST_FRAMES * _HOP_S + _FRAME_S) * rate_hz:
        return NO_SWAY
    hop = round(_HOP_S * rate_hz)
    moves_s, trust = _moves(_spectra(x, 4 * hop, hop), _spectra(y, 4 * hop, hop), rate_hz)
    return _strongest_line(moves_s * rate_hz / hop, trust, rate_hz / hop)


def _spectra(track: Array, frame: int, hop: int) -> NDArray[np.complexfloating]:
    frames = np.lib.stride_tricks.sliding_window_view(track.astype(np.float32), frame)[::hop]
    return fft.rfft(frames * np.hanning(frame).astype(np.float32))


def _moves(x: NDArray[np.complexfloating], y: NDArray[np.complexfloating], rate_hz: float) -> tuple[Array, Array]:
    """Seconds that the delay moves from each frame of spectra (N, K) to the next, and how sure that is, (N − 1,)."""
    frequencies = np.arange(x.shape[1]) * rate_hz / (2 * (x.shape[1] - 1))
    band = frequencies > _LOWEST_HZ
    transfer = (y * np.conj(x))[:, band]
    turn = transfer[1:] * np.conj(transfer[:-1])
    # The geometric mean of the four levels: strings count more than hiss, and a loud one does not decide alone.
    turn /= np.sqrt(np.abs(turn)) + 1e-30
    moves = np.arange(-_FASTEST_S, _FASTEST_S + 0.5 * _STEP_S, _STEP_S)
    steering = np.exp(2j * np.pi * np.outer(frequencies[band], moves)).astype(turn.dtype)
    agreement = (turn @ steering).real / (np.sum(np.abs(turn), axis=1, keepdims=True) + 1e-30)
    level = np.sum(np.abs(x) ** 2, axis=1)
    heard = np.minimum(level[1:], level[:-1]) > _AUDIBLE * np.percentile(level, 99.0)
    found, height = _peaks(agreement)
    return moves[0] + found * _STEP_S, np.where(heard, np.maximum(height, 0.0), 0.0) ** 2


def _peaks(rows: Array) -> tuple[Array, Array]:
    """Fractional column and height of each row's maximum, by a parabola."""
    index = np.arange(len(rows))
    at = np.clip(np.argmax(rows, axis=1), 1, rows.shape[1] - 2)
    left, middle, right = (rows[index, at + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2.0 * middle + right, -1e-9)
    return at + np.clip(0.5 * (left - right) / bend, -1.0, 1.0), middle


def _strongest_line(speeds: Array, trust: Array, frame_hz: float) -> Sway:
    """The clearest period in speeds (N,) of seconds per second, weighted by ``trust`` (N,)."""
    total = float(np.sum(trust))
    if total <= 0.0:
        return NO_SWAY
    size = fft.next_fast_len(4 * len(speeds), real=True)
    swing = (speeds - np.average(speeds, weights=trust)) * trust
    amplitude = np.abs(fft.rfft(swing, size)) / (0.5 * total)
    rates = np.arange(len(amplitude)) * frame_hz / size
    shown = (rates >= max(RATES_HZ[0], FEWEST_PERIODS * frame_hz / len(speeds))) & (rates <= RATES_HZ[1])
    rates, amplitude = rates[shown], amplitude[shown]
    at = int(np.argmax(amplitude))
    depth_s = amplitude[at] / (2.0 * np.pi * rates[at])
    return Sway(float(rates[at]), 1e3 * float(depth_s), float(amplitude[at] / max(float(np.median(amplitude)), 1e-12)))
