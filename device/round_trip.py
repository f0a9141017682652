"""How long sound takes from the program to the card, through a cable, and back: by a chirp, finer than a sample.

An exponential chirp is played and the record divided by it: what is left is the impulse response of the way. Its
highest point is the latency. Converters filter without bending phase, or nearly so, and then the point lies where the
sound arrives; a cable through other filters adds their delay at high frequencies, where the response is sharpest.

Source: Farina, "Simultaneous Measurement of Impulse Response and Distortion with a Swept-Sine Technique", 108th AES
Convention, 2000.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.device.block_meter import dbfs

Track = NDArray[np.float32]
Signal = NDArray[np.float64]

LONGEST_S = 0.75
"""A longer way is not looked for."""
CLIPPED_PEAK = 0.995
CLEAR = 12.0
"""Peak of the response over its rms elsewhere; noise alone reaches 4 to 5."""
SECOND_ANSWER = 0.5
"""A second peak of this share of the first is another way of the sound: which of the two is meant, nobody knows."""
STEADY_SAMPLES = 1.0

_QUIET_S, _CHIRP_S = 0.1, 0.25
_LOWEST_HZ, _HIGHEST = 60.0, 0.44
_NEAR_S = 1e-3
_FADE_S = 0.005
_CONDITIONING = 1e-4


@dataclass(frozen=True)
class RoundTrip:
    """One chirp's.

    Attributes:
        samples: from the block that was played to the block that was heard, fractional.
        gain_db: how loud the sound comes back against how it was sent. inverted: with its polarity reversed.
        peak_dbfs: of what was heard. snr_db: its rms over that of the silence before.
    """

    samples: float
    gain_db: float
    inverted: bool
    peak_dbfs: float
    snr_db: float


class RoundTripProbe:
    """The chirp, and how its record is read.

    Args:
        level_dbfs: peak of the chirp, at most 0.

    Attributes:
        track: (T,) silence, chirp, silence until the longest way is over.
    """

    def __init__(self, sample_rate_hz: int, level_dbfs: float = -12.0) -> None:
        self._rate_hz = sample_rate_hz
        self._quiet, self._longest = (round(seconds * sample_rate_hz) for seconds in (_QUIET_S, LONGEST_S))
        self._level = float(linear_gain(level_dbfs))
        chirp = _chirp(sample_rate_hz)
        self._length = len(chirp)
        self.track = np.zeros(self._quiet + self._length + self._longest, np.float32)
        self.track[self._quiet : self._quiet + self._length] = self._level * chirp
        self._size = 1 << (len(self.track) - 1).bit_length()
        self._frequencies: Signal = np.fft.rfftfreq(self._size).astype(np.float64)
        spectrum = np.fft.rfft(chirp, self._size)
        power = np.abs(spectrum) ** 2
        self._inverse = np.conj(spectrum) / (power + _CONDITIONING * power.max()) * self._band()
        self._unity = float(np.fft.irfft(spectrum * self._inverse)[0])

    def read(self, record: Track) -> RoundTrip:
        """The latency in a record of ``track`` (at least as long).

        Raises:
            AudioDeviceError: nothing comes back, it is clipped, or comes back twice.
        """
        heard = record[: len(self.track)].astype(np.float64)
        noise, heard = heard[: self._quiet], heard[self._quiet :]
        peak = float(np.max(np.abs(heard)))
        if peak >= CLIPPED_PEAK:
            raise AudioDeviceError(f"the chirp comes back clipped (peak {dbfs(peak):.1f} dBFS, wanted below "
                                   f"{dbfs(CLIPPED_PEAK):.2f}); turn the card's output or input down, or give a lower "
                                   "--level")
        spectrum = np.fft.rfft(heard - np.mean(noise), self._size) * self._inverse
        response = np.fft.irfft(spectrum)[: self._longest]
        at = self._first_of_two(response, peak)
        place, height = _summit(spectrum, self._frequencies, at)
        arrived = heard[at : at + self._length]
        snr_db = dbfs(_rms(arrived)) - dbfs(_rms(noise))
        gain_db = 20.0 * np.log10(abs(height) / self._unity / self._level)
        return RoundTrip(place, float(gain_db), height < 0.0, dbfs(peak), snr_db)

    def _first_of_two(self, response: Signal, peak: float) -> int:
        """Where the only peak of ``response`` (T,) lies."""
        size = np.abs(response)
        at = int(np.argmax(size))
        near = max(1, round(_NEAR_S * self._rate_hz))
        elsewhere = np.concatenate([size[: max(0, at - near)], size[at + near :]])
        rms = _rms(elsewhere)
        if size[at] <= CLEAR * rms or size[at] == 0.0:
            raise AudioDeviceError(
                f"nothing comes back (highest input {dbfs(peak):.0f} dBFS, no trace of the chirp in it): connect the "
                "card's output to its input with a cable (JACK: connect PortAudio's ports), and turn both up")
        size[max(0, at - near) : at + near] = 0.0
        other = int(np.argmax(size))
        if size[other] > SECOND_ANSWER * abs(response[at]):
            first, second = (1e3 * place / self._rate_hz for place in (at, other))
            raise AudioDeviceError(
                f"the chirp comes back twice, after {first:.2f} and {second:.2f} ms (the second only "
                f"{20.0 * np.log10(abs(response[at]) / size[other]):.1f} dB softer), so that its latency is not one "
                "figure; switch off direct monitoring, or take the echo out of the cable's way")
        return at

    def _band(self) -> Signal:
        """1 where the chirp was, falling smoothly to 0 at its ends: the response then rings little."""
        low, high = 2.0 * _LOWEST_HZ / self._rate_hz, _HIGHEST
        rise = np.clip((self._frequencies - low) / low, 0.0, 1.0)
        fall = np.clip((high - self._frequencies) / (0.3 * high), 0.0, 1.0)
        return np.sin(0.5 * np.pi * rise) ** 2 * np.sin(0.5 * np.pi * fall) ** 2


@dataclass(frozen=True)
class RoundTrips:
    """Several chirps' together.

    Raises:
        AudioDeviceError: they differ by more than a sample.
    """

    rounds: tuple[RoundTrip, ...]
    sample_rate_hz: int

    def __post_init__(self) -> None:
        """Refuse what is not one figure."""
        if self.spread_samples > STEADY_SAMPLES:
            found = ", ".join(f"{trip.samples:.1f}" for trip in self.rounds)
            raise AudioDeviceError(f"the latency changes from round to round ({found} samples): the driver loses or "
                                   "repeats blocks; choose larger blocks (--block), close other programs")

    @property
    def samples(self) -> float:
        """The median."""
        return float(np.median([trip.samples for trip in self.rounds]))

    @property
    def spread_samples(self) -> float:
        """From the shortest to the longest."""
        return float(np.ptp([trip.samples for trip in self.rounds]))

    @property
    def ms(self) -> float:
        """The median in milliseconds."""
        return 1e3 * self.samples / self.sample_rate_hz

    def worst(self) -> RoundTrip:
        """The round with the least signal over its noise."""
        return min(self.rounds, key=lambda trip: trip.snr_db)


def _chirp(sample_rate_hz: int) -> Signal:
    """Peak 1, (T,), both ends faded."""
    low, high = _LOWEST_HZ, _HIGHEST * sample_rate_hz
    time_s = np.arange(round(_CHIRP_S * sample_rate_hz)) / sample_rate_hz
    speed = np.log(high / low) / _CHIRP_S
    chirp = np.sin(2.0 * np.pi * low / speed * np.expm1(speed * time_s))
    edge = np.minimum(np.minimum(time_s, time_s[::-1]) / _FADE_S, 1.0)
    return np.sin(0.5 * np.pi * edge) ** 2 * chirp


def _summit(spectrum: NDArray[np.complexfloating], frequencies: Signal, at: int) -> tuple[float, float]:
    """Place and signed height of the response's highest point near sample ``at``: by its own Fourier series."""
    place, step = float(at), 1.0 / 8.0
    height = 0.0
    for _ in range(4):
        places = place + step * np.arange(-8, 9)
        # As irfft: all but DC and Nyquist, which are empty, count twice.
        values = 2.0 * np.real(np.exp(2j * np.pi * np.outer(places, frequencies)) @ spectrum)
        best = int(np.argmax(np.abs(values)))
        place, height = float(places[best]), float(values[best])
        step /= 8.0
    return place, height / (2 * (len(spectrum) - 1))


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(np.square(signal)))) if len(signal) else 0.0
