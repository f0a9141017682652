"""How alike the pedal's answers are to a passage that the dry track has twice: what differs, no network can predict.

Noise shows in it, and so do hum, a bad contact and an effect with a clock of its own. `neuralpedal record` plays such a
passage; looped and pasted ones serve as well, if they are the same to the last bit. They are looked for by hashes of
short windows: a correlation of minutes with themselves would also find what is merely alike.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.train.inspection.problem import WARNING, Problem

Track = NDArray[np.float32]
Hashes = NDArray[np.uint64]

LEAD_S, SHORTEST_S = 0.25, 1.0
"""In the first the pedal forgets what was before; so much must be left behind it."""
WINDOW_S = 0.1
ESR_LIMIT = 0.005
_AUDIBLE = 1e-4
"""Mean power of a window against the track's: in two silences nothing is played twice."""
_PIECE = 1 << 20
_PRIME = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2⁶⁴."""
_LEADING_BITS = 20
_SHIFT = np.uint64(64 - _LEADING_BITS)


@dataclass(frozen=True)
class Repeatability:
    """Of an aligned pair.

    Attributes:
        repeatability_esr: no model reaches a lower ESR. repeatability_s: how long the passage is that was compared.
    """

    repeatability_esr: float
    repeatability_s: float

    def problems(self, wet: Path) -> list[Problem]:
        """What follows."""
        if self.repeatability_esr <= ESR_LIMIT:
            return []
        return [Problem("unrepeatable", WARNING, f"{wet}: the same {self.repeatability_s:.1f} s of the dry track are "
                                                 "answered differently the second time: no model can reach an ESR "
                                                 f"below {self.repeatability_esr:.2g}; look for noise, hum, a bad "
                                                 "contact or an effect that moves by itself")]


def repeatability_esr(first: Track, second: Track) -> float:
    """The lowest ESR that a model can reach, from two answers (T,) to the same samples.

    A model that played what both have in common would miss each by as much as the other would; with independent noise
    of power N in both, their difference has 2N, and the best model errs by N. So: half the difference's energy over
    the answers' own.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    energy = 0.5 * (np.dot(a, a) + np.dot(b, b))
    return float(0.5 * np.dot(a - b, a - b) / max(energy, 1e-30))


def measure_repeatability(dry: Track, wet: Track, sample_rate_hz: int) -> Repeatability | None:
    """Of an aligned pair, equally long tracks (T,); None where nothing long enough is played twice."""
    found = find_repeat(dry, round(WINDOW_S * sample_rate_hz))
    if found is None:
        return None
    passage, distance = found
    start, length = passage.start + round(LEAD_S * sample_rate_hz), passage.stop - passage.start
    if length < round((LEAD_S + SHORTEST_S) * sample_rate_hz):
        return None
    esr = repeatability_esr(wet[start : passage.stop], wet[start + distance : passage.stop + distance])
    return Repeatability(esr, (passage.stop - start) / sample_rate_hz)


def find_repeat(dry: Track, window: int) -> tuple[slice, int] | None:
    """The passage of the most energy that comes again so many samples later, to the last bit; None if none does.

    Of all distances that is looked at which the most windows (of ``window`` samples) lie apart.
    """
    distances = _distances(dry, window)
    if not len(distances):
        return None
    values, counts = np.unique(distances, return_counts=True)
    distance = int(values[np.argmax(counts)])
    same = np.concatenate([[False], dry[:-distance] == dry[distance:], [False]])
    edges = np.flatnonzero(same[1:] != same[:-1])
    energy = np.concatenate([[0.0], np.cumsum(np.square(dry, dtype=np.float64))])
    starts, stops = edges[::2], edges[1::2]
    best = int(np.argmax(energy[stops] - energy[starts]))
    return slice(int(starts[best]), int(stops[best])), distance


def _distances(dry: Track, window: int) -> NDArray[np.int64]:
    """How far apart windows lie of which one begins at a multiple of ``window`` and that have one hash."""
    count = len(dry) // window
    rows = dry[: count * window].reshape(count, window)
    power = np.mean(np.square(rows, dtype=np.float64), axis=1)
    places = np.flatnonzero(power > _AUDIBLE * np.mean(power)) * window if count else np.zeros(0, np.int64)
    if not len(places):
        return np.zeros(0, np.int64)
    hashes = np.concatenate([_hashes(dry[place : place + window], window) for place in places])
    # The first of several alike, for these are a repetition themselves.
    known, first = np.unique(hashes, return_index=True)
    # Few windows have the leading bits of a known one: only those are looked up.
    leading = np.zeros(1 << _LEADING_BITS, np.bool_)
    leading[known >> _SHIFT] = True
    found = []
    for begin in range(0, len(dry) - window + 1, _PIECE):
        piece = _hashes(dry[begin : begin + _PIECE + window - 1], window)
        at = np.flatnonzero(leading[piece >> _SHIFT])
        nearest = np.minimum(np.searchsorted(known, piece[at]), len(known) - 1)
        equal = known[nearest] == piece[at]
        found.append(begin + at[equal] - places[first[nearest[equal]]])
    distances = np.concatenate(found)
    return distances[distances > 0]


def _hashes(track: Track, window: int) -> Hashes:
    """Of each window of a track (T,), (T − window + 1,): Σ xⱼ pʲ modulo 2⁶⁴, where x are the samples' bits."""
    # Zero has two signs, which sound alike.
    bits = (track + np.float32(0.0)).view(np.uint32).astype(np.uint64)
    powers, inverses = (_powers(base, len(track)) for base in (_PRIME, pow(_PRIME, -1, 1 << 64)))
    sums = np.zeros(len(track) + 1, np.uint64)
    np.cumsum(bits * powers, out=sums[1:])
    return (sums[window:] - sums[:-window]) * inverses[: len(track) - window + 1]


def _powers(base: int, count: int) -> Hashes:
    """Of 0 to ``count`` − 1, modulo 2⁶⁴."""
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)
