"""The tuner: which note the guitar plays, and how far beside it, from the dry input and off the audio thread.

The audio thread copies its blocks into a ring; whoever looks computes. A first period comes from the normalized square
difference of the last 170 ms, where a plucked string's harmonics agree; then it is measured over twice, four times… as
many periods, which divides the error of the lag by as many. NumPy alone: a Pi installs nothing for it.

Source: McLeod and Wyvill, "A smarter way to find pitch" (ICMC 2005).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.device.engine import Block

LOWEST_HZ, HIGHEST_HZ = 60.0, 1_200.0
A4_HZ = 440.0
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

_WINDOW_S = 0.17
_QUIETEST_RMS = 1e-3
"""−60 dBFS: below it a string has died away."""

_CLARITY = 0.8
"""Of the square difference (1: exactly periodic): what is less is no single note."""

_FIRST_SHARE = 0.93
"""The first peak that is so near to the highest is the period; the highest may be twice that."""

_A4_NUMBER, _NOTES_PER_OCTAVE, _CENTS = 69, 12, 100.0


@dataclass(frozen=True)
class Note:
    """What sounds.

    Attributes:
        name: of the nearest note, such as ``E2``. cents: beside it, −50 to 50. frequency_hz: of the fundamental.
    """

    name: str
    cents: float
    frequency_hz: float

    def __str__(self) -> str:
        """For small displays."""
        return f"{self.name} {self.cents:+.0f} cents"


class InputTap:
    """The last samples of the dry input: written by the audio thread, read by another.

    Attributes:
        is_open: whether blocks are kept.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._ring = np.zeros(2 * round(_WINDOW_S * sample_rate_hz), np.float32)
        self._written = 0
        self.is_open = False

    def write(self, block: Block) -> None:
        """Keep a block if it is open. Real-time safe."""
        if not self.is_open:
            return
        place, size, room = self._written % len(self._ring), len(block), len(self._ring)
        head = min(size, room - place)
        self._ring[place : place + head] = block[:head]
        self._ring[: size - head] = block[head:]
        self._written += size

    def forget(self) -> None:
        """What was kept is no part of what comes."""
        self._written = 0

    def read(self) -> NDArray[np.float32] | None:
        """The last window; None as long as there is none. What is written meanwhile lies in the ring's other half."""
        end, count = self._written, len(self._ring) // 2
        if end < count:
            return None
        return np.take(self._ring, np.arange(end - count, end), mode="wrap")


class Tuner:
    """Listens when it is switched on; in small turns, from one thread that is not the audio thread.

    Attributes:
        note: what sounded last; None for nothing. is_on: whether it listens.
    """

    def __init__(self, tap: InputTap, sample_rate_hz: int) -> None:
        self._tap, self._rate_hz = tap, sample_rate_hz
        self.note: Note | None = None
        self.is_on = False

    def switch(self, on: bool) -> None:
        """Begin to listen, or end."""
        if on and not self.is_on:
            self._tap.forget()
        self._tap.is_open = self.is_on = on
        self.note = None

    def listen(self) -> None:
        """Look once, if it is on: about a millisecond on a PC."""
        if self.is_on:
            samples = self._tap.read()
            self.note = None if samples is None else find_note(samples, self._rate_hz)

    def reading(self) -> dict[str, str | float | None] | None:
        """JSON-able; None where it is off."""
        note = self.note
        if not self.is_on:
            return None
        return {"note": note.name if note else None, "cents": round(note.cents, 1) if note else None,
                "frequency_hz": round(note.frequency_hz, 2) if note else None}

    def __str__(self) -> str:
        """What a display shows."""
        return f"tuner: {self.note or '–'}"


def find_note(samples: NDArray[np.float32], sample_rate_hz: int, a4_hz: float = A4_HZ) -> Note | None:
    """The note in a window of samples (T,); None for silence, noise and chords. Not real-time safe."""
    if float(np.sqrt(np.mean(np.square(samples)))) < _QUIETEST_RMS:
        return None
    likeness = _square_difference(samples)
    period = _first_period(likeness[: math.ceil(sample_rate_hz / LOWEST_HZ) + 2])
    if period is None:
        return None
    frequency_hz = sample_rate_hz / _over_many_periods(likeness, period)
    return note_of(frequency_hz, a4_hz) if LOWEST_HZ <= frequency_hz <= HIGHEST_HZ else None


def note_of(frequency_hz: float, a4_hz: float = A4_HZ) -> Note:
    """The nearest note of equal temperament."""
    number = _A4_NUMBER + _NOTES_PER_OCTAVE * math.log2(frequency_hz / a4_hz)
    nearest = round(number)
    name = f"{NAMES[nearest % _NOTES_PER_OCTAVE]}{nearest // _NOTES_PER_OCTAVE - 1}"
    return Note(name, _CENTS * (number - nearest), frequency_hz)


def _square_difference(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Normalized, (T // 2,): at every lag from 0, 1 where the signal repeats itself, −1 where it is upside down."""
    signal = samples.astype(np.float64) - np.mean(samples, dtype=np.float64)
    count, lags = len(signal), len(signal) // 2
    spectrum = np.fft.rfft(signal, 2 << (count - 1).bit_length())
    products = np.fft.irfft(np.square(np.abs(spectrum)))[:lags]
    energies = np.concatenate([[0.0], np.cumsum(np.square(signal))])
    both = energies[count - np.arange(lags)] + energies[-1] - energies[:lags]
    difference: NDArray[np.float64] = 2.0 * products / np.maximum(both, np.finfo(np.float64).tiny)
    return difference


def _first_period(likeness: NDArray[np.float64]) -> float | None:
    """Of the peaks behind the first zero, the first that is nearly the highest."""
    below = np.flatnonzero(likeness < 0.0)
    if not len(below):
        return None
    inner = likeness[1:-1]
    peaks = 1 + np.flatnonzero((inner > likeness[:-2]) & (inner >= likeness[2:]))
    peaks = peaks[peaks > below[0]]
    if not len(peaks):
        return None
    heights = likeness[peaks]
    if heights.max() < _CLARITY:
        return None
    return _top(likeness, int(peaks[np.argmax(heights >= _FIRST_SHARE * heights.max())]))


def _over_many_periods(likeness: NDArray[np.float64], period: float) -> float:
    """The period from the longest lag over which the signal still repeats itself."""
    count = 2
    while (count + 0.25) * period < len(likeness) - 1:
        middle, reach = round(count * period), max(1, round(0.2 * period))
        start = middle - reach
        peak = start + int(np.argmax(likeness[start : middle + reach + 1]))
        if likeness[peak] < _CLARITY or not start < peak < middle + reach:
            break
        period = _top(likeness, peak) / count
        count *= 2
    return period


def _top(values: NDArray[np.float64], place: int) -> float:
    """Of the parabola through a peak and its neighbours."""
    left, here, right = values[place - 1 : place + 2]
    bend = left - 2.0 * here + right
    return place + (0.5 * (left - right) / bend if bend else 0.0)
