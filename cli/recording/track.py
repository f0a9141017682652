"""What is played into a pedal: three minutes of all that a network must have heard, and what tells how good it can get.

Sweeps and noise cover frequencies and levels evenly, notes and playing are what is asked for later. Clicks at the
beginning, in the middle and at the end say when the record begins and whether samples were lost. One passage is played
twice, minutes apart: what differs is what no network can predict. The end, which training holds out, repeats nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.virtual.guitar import synthesize_guitar, synthesize_notes
from neuralpedal.contract.errors import SpecError

Track = NDArray[np.float32]

PEAK = 0.75
SHORTEST_S, LONGEST_S = 30.0, 900.0
CLICK_GROUPS_S = ((0.1, 0.27, 0.51, 0.83), (0.1, 0.33, 0.52, 0.81), (0.1, 0.25, 0.55, 0.81))
"""When the clicks of the three groups come. No group is the other's repetition, and no two distances are equal."""
LEAD_S = 0.25
"""Silence at the start of the passage played twice."""

_CLICKS_S, _REST_S = 1.0, 1.0
_SHARES = {"sweeps": 0.06, "noise": 0.07, "notes": 0.14, "repeated": 0.05, "playing": 0.315}
_SWEEP_PEAKS, _SWEEP_HZ = (0.05, 0.5), (25.0, 0.4)
_NOISE_RMS = (0.008, 0.03, 0.12)
_FADE_S = 0.01


@dataclass(frozen=True)
class Section:
    """One part of the track, samples ``start`` to ``stop``."""

    name: str
    start: int
    stop: int

    @property
    def span(self) -> slice:
        """Where it lies."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class CaptureTrack:
    """The track and where its parts lie.

    Attributes:
        samples: (T,), peak ``PEAK``, the same for a seed.
        sections: in their order, without gaps.
        clicks: for each group, the places of its clicks in samples.
    """

    samples: Track
    sample_rate_hz: int
    seed: int
    sections: tuple[Section, ...]
    clicks: tuple[tuple[int, ...], ...]

    def named(self, name: str) -> list[Section]:
        """The sections of a name."""
        return [section for section in self.sections if section.name == name]

    def loudest(self, seconds: float) -> Track:
        """The stretch of so many seconds about the highest peak of the playing."""
        length = round(seconds * self.sample_rate_hz)
        spans = [section.span for section in self.sections if section.name == "playing"]
        first = max(spans, key=lambda span: float(np.max(np.abs(self.samples[span]))))
        at = first.start + int(np.argmax(np.abs(self.samples[first])))
        start = int(np.clip(at - length // 2, 0, len(self.samples) - length))
        return self.samples[start : start + length]


def make_track(seconds: float, sample_rate_hz: int, seed: int) -> CaptureTrack:
    """Synthesise it (seconds, not milliseconds). Raises SpecError."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise SpecError(f"a take of {seconds:g} s: wanted {SHORTEST_S:g} to {LONGEST_S:g} s; three minutes are usual")
    builder = _Builder(sample_rate_hz, seconds, seed)
    builder.rest()
    builder.click(0)
    builder.add("sweeps", builder.sweeps())
    builder.add("noise", builder.noise())
    builder.add("notes", synthesize_notes(builder.length_s("notes"), sample_rate_hz, seed))
    repeated = builder.repeated()
    builder.add("repeated", repeated)
    builder.add("playing", synthesize_guitar(builder.length_s("playing"), sample_rate_hz, seed + 1))
    builder.rest(2.0)
    builder.click(1)
    builder.add("repeated", repeated)
    builder.add("playing", synthesize_guitar(builder.length_s("playing"), sample_rate_hz, seed + 2))
    builder.rest()
    builder.click(2)
    return builder.finish(seed)


class _Builder:
    """Puts sections behind one another; what is left at the end is silence."""

    def __init__(self, rate_hz: int, seconds: float, seed: int) -> None:
        self._rate_hz, self._total = rate_hz, round(seconds * rate_hz)
        self._free_s = seconds - 3 * _CLICKS_S - 5 * _REST_S
        self._rng = np.random.default_rng(seed)
        self._seed = seed
        self._parts: list[Track] = []
        self._sections: list[Section] = []
        self._clicks: list[tuple[int, ...]] = []

    def length_s(self, name: str) -> float:
        return _SHARES[name] * self._free_s

    def add(self, name: str, part: Track) -> None:
        start = self._sections[-1].stop if self._sections else 0
        self._sections.append(Section(name, start, start + len(part)))
        self._parts.append(part.astype(np.float32))

    def rest(self, seconds: float = _REST_S) -> None:
        self.add("silence", np.zeros(round(seconds * self._rate_hz), np.float32))

    def click(self, group: int) -> None:
        """One sample each: every pedal's answer to it begins at once."""
        part = np.zeros(round(_CLICKS_S * self._rate_hz), np.float32)
        places = [round(place_s * self._rate_hz) for place_s in CLICK_GROUPS_S[group]]
        part[places] = PEAK
        start = self._sections[-1].stop
        self._clicks.append(tuple(start + place for place in places))
        self.add("clicks", part)

    def sweeps(self) -> Track:
        """Exponential, one soft and one loud."""
        time_s = np.arange(round(self.length_s("sweeps") / len(_SWEEP_PEAKS) * self._rate_hz)) / self._rate_hz
        low, high = _SWEEP_HZ[0], _SWEEP_HZ[1] * self._rate_hz
        speed = np.log(high / low) / time_s[-1]
        sweep = np.sin(2.0 * np.pi * low / speed * np.expm1(speed * time_s))
        return np.concatenate([peak * self._faded(sweep) for peak in _SWEEP_PEAKS])

    def noise(self) -> Track:
        """Pink, as music is, in steps of about 12 dB."""
        length = round(self.length_s("noise") / len(_NOISE_RMS) * self._rate_hz)
        frequencies = np.fft.rfftfreq(length, 1.0 / self._rate_hz)
        pink = np.fft.irfft(np.fft.rfft(self._rng.standard_normal(length)) / np.sqrt(np.maximum(frequencies, 40.0)),
                            length)
        pink /= np.sqrt(np.mean(pink**2))
        return np.concatenate([np.clip(rms * self._faded(pink), -PEAK, PEAK) for rms in _NOISE_RMS])

    def repeated(self) -> Track:
        """Playing behind a silence, in which the pedal forgets what was before."""
        lead = np.zeros(round(LEAD_S * self._rate_hz), np.float32)
        return np.concatenate([lead, synthesize_guitar(self.length_s("repeated"), self._rate_hz, self._seed + 3)])

    def _faded(self, part: NDArray[np.float64]) -> NDArray[np.float64]:
        time_s = np.arange(len(part)) / self._rate_hz
        return part * np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / _FADE_S)

    def finish(self, seed: int) -> CaptureTrack:
        left = self._total - self._sections[-1].stop
        self.add("silence", np.zeros(left, np.float32))
        return CaptureTrack(np.concatenate(self._parts), self._rate_hz, seed, tuple(self._sections),
                            tuple(self._clicks))
