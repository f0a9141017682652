"""What a model does with test signals that no guitar plays: how much it aliases, and whether it is quiet in silence.

A probe is handed ``play``, a function from float64 samples (T,) to as many output samples, which starts from zero state
at every call; so the same probes test a model, an engine and, in the tests, a curve whose answer is known.

Levels of sines are those of their peak: 0 dBFS is a peak of 1. Levels of noise are rms against 1.

Sources: Sato, Smith, "Aliasing Reduction in Neural Amp Modeling by Smoothing Activations", DAFx 2025
(aliasing-to-signal ratio, prime transform length); Jackson, "An analysis of limit cycles due to multiplication rounding
in recursive digital filters", Allerton Conference 1969 (why an integer network may never fall silent).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.metrics import decibels

Play = Callable[[NDArray[np.float64]], NDArray[Any]]

ALIASING_FREQUENCIES_HZ = (1250, 2500, 5000)
ALIASING_LEVELS_DBFS = (-20, -10, 0)

SETTLE_SECONDS = 0.5
WINDOW_SECONDS = 0.25
CHORD_SECONDS = 1.0
SILENCE_SECONDS = 2.0

LIMIT_CYCLE_DBFS = -120.0
"""Below this rms an oscillation in silence is the rounding of float32, which nobody hears."""

_OPEN_E_MAJOR_HZ = (82.41, 123.47, 164.81, 207.65, 246.94, 329.63)


@dataclass(frozen=True)
class AliasingProbe:
    """One sine through a model.

    Attributes:
        frequency_hz, level_dbfs: as asked for; the sine itself lies on the nearest bin, less than 3 Hz away.
        aliasing_db: energy of all that is no harmonic over that of the harmonics; None when there are no harmonics.
        bins_hz: (K,), from DC to Nyquist.
        spectrum_dbfs: (K,), level of each bin as the peak of its sine.
        is_harmonic: (K,), the bins of k·f for k ≥ 1.
    """

    frequency_hz: int
    level_dbfs: int
    aliasing_db: float | None
    bins_hz: NDArray[np.float64]
    spectrum_dbfs: NDArray[np.float64]
    is_harmonic: NDArray[np.bool_]


@dataclass(frozen=True)
class SilenceProbe:
    """The last second of two seconds of digital silence after a loud chord.

    Attributes:
        noise_floor_dbfs: rms without its mean. dc_dbfs: size of its mean. Both are −300 for true silence.
        limit_cycle: it goes on oscillating instead of dying away.
    """

    noise_floor_dbfs: float
    dc_dbfs: float
    limit_cycle: bool


def aliasing_window_samples(sample_rate_hz: int) -> int:
    """Length N of the transform: the largest prime in a quarter of a second.

    Why a prime: let the sine lie on bin b, 0 < b < N. Its m-th harmonic, folded or not, lies on bin m·b mod N or its
    mirror. It hides an alias only where m·b ≡ ±k·b (mod N) for a true harmonic k ≤ K, the last one below Nyquist; b has
    an inverse modulo a prime, so m ≡ ±k. The first alias that lands on a harmonic (or on DC) is therefore number N − K:
    some twelve thousandth, where any curve's coefficients are lost in rounding. With N = 12000 and b = 300 it would be
    the 39th, and every later alias would count as music. A sine on a bin needs no window, so nothing smears.
    """
    candidate = int(WINDOW_SECONDS * sample_rate_hz)
    while any(candidate % divisor == 0 for divisor in range(2, math.isqrt(candidate) + 1)):
        candidate -= 1
    return candidate


def probe_aliasing(play: Play, sample_rate_hz: int, frequency_hz: int, level_dbfs: int) -> AliasingProbe | None:
    """Aliasing-to-signal ratio 10·lg(E_A / E_H) of one sine; None when it would lie above Nyquist.

    E_H is the energy of the bins of k·f below Nyquist, k ≥ 1, E_A that of all others but DC: an asymmetric curve makes
    DC by right. Noise counts as aliasing, so an int8 model shows its quantization here, and float32 samples alone leave
    about −150 dB.
    """
    samples = aliasing_window_samples(sample_rate_hz)
    fundamental_bin = round(frequency_hz * samples / sample_rate_hz)
    if fundamental_bin > (samples - 1) // 2:
        return None
    settle = round(SETTLE_SECONDS * sample_rate_hz)
    # The phase modulo N keeps the sine periodic to the last bit: what is measured is the model's dirt alone.
    sine = np.sin(2 * np.pi / samples * (fundamental_bin * np.arange(settle + samples) % samples))
    played = np.asarray(play(10.0 ** (level_dbfs / 20.0) * sine), dtype=np.float64)[settle:]
    amplitudes = np.abs(np.fft.rfft(played)) * 2.0 / samples
    is_harmonic = np.zeros(len(amplitudes), np.bool_)
    is_harmonic[fundamental_bin::fundamental_bin] = True
    return AliasingProbe(frequency_hz, level_dbfs, _aliasing_db(amplitudes, is_harmonic),
                         np.arange(len(amplitudes)) * sample_rate_hz / samples,
                         20.0 * np.log10(np.maximum(amplitudes, 1e-15)), is_harmonic)


def probe_all_aliasing(play: Play, sample_rate_hz: int,
                       report: Callable[[float], None] | None = None) -> list[AliasingProbe]:
    """Every frequency below Nyquist at every level. ``report`` is told the fraction done."""
    settings = [(frequency, level) for frequency in ALIASING_FREQUENCIES_HZ for level in ALIASING_LEVELS_DBFS]
    probes = []
    for index, (frequency_hz, level_dbfs) in enumerate(settings):
        probe = probe_aliasing(play, sample_rate_hz, frequency_hz, level_dbfs)
        if probe is not None:
            probes.append(probe)
        if report:
            report((index + 1) / len(settings))
    return probes


def aliasing_figures(probes: list[AliasingProbe]) -> dict[str, float | None]:
    """``aliasing_worst_db`` and ``aliasing_db_1250_hz_minus_20_dbfs`` …; None where nothing could be measured."""
    measured = {(probe.frequency_hz, probe.level_dbfs): probe.aliasing_db for probe in probes}
    worst = max((ratio for ratio in measured.values() if ratio is not None), default=None)
    return {"aliasing_worst_db": worst, **{
        f"aliasing_db_{frequency}_hz_{'minus_' if level < 0 else ''}{abs(level)}_dbfs": measured.get((frequency, level))
        for frequency in ALIASING_FREQUENCIES_HZ for level in ALIASING_LEVELS_DBFS}}


def probe_silence(play: Play, sample_rate_hz: int) -> SilenceProbe:
    """Play a chord at full scale, then digital silence, and listen to the last second of it.

    A limit cycle is an oscillation above −120 dBFS that crosses its own mean at least twice in either half of that
    second and is no softer (by 1 dB) in the later half: a slow tail crosses its mean once, a ringing one dies away.
    """
    silence = np.zeros(round(SILENCE_SECONDS * sample_rate_hz))
    played = np.asarray(play(np.concatenate([loud_chord(sample_rate_hz), silence])), dtype=np.float64)
    last_second = played[-sample_rate_hz:]
    floor_dbfs, dc_dbfs = decibels(float(np.std(last_second))), decibels(float(abs(np.mean(last_second))))
    return SilenceProbe(floor_dbfs, dc_dbfs, _oscillates(last_second))


def silence_figures(probe: SilenceProbe) -> dict[str, float | bool]:
    """``noise_floor_dbfs``, ``silence_dc_dbfs``, ``silence_limit_cycle``."""
    return {"noise_floor_dbfs": probe.noise_floor_dbfs, "silence_dc_dbfs": probe.dc_dbfs,
            "silence_limit_cycle": probe.limit_cycle}


def loud_chord(sample_rate_hz: int) -> NDArray[np.float64]:
    """An open E major, six strings with six partials each (1/k), one second, peak 1."""
    time_s = np.arange(round(CHORD_SECONDS * sample_rate_hz)) / sample_rate_hz
    chord = np.zeros(len(time_s))
    for pitch_hz in _OPEN_E_MAJOR_HZ:
        for k in range(1, 7):
            chord += np.sin(2 * np.pi * k * pitch_hz * time_s) / k
    return chord / np.max(np.abs(chord))


def _aliasing_db(amplitudes: NDArray[np.float64], is_harmonic: NDArray[np.bool_]) -> float | None:
    harmonics = float(np.sum(amplitudes[is_harmonic] ** 2))
    aliases = float(np.sum(amplitudes[1:][~is_harmonic[1:]] ** 2))
    # Less than −300 dBFS is no answer but the rounding of a model that stays silent.
    return decibels(math.sqrt(aliases / harmonics)) if harmonics > 1e-30 else None


def _oscillates(last_second: NDArray[np.float64]) -> bool:
    halves = np.array_split(last_second - np.mean(last_second), 2)
    before, after = (half - np.mean(half) for half in halves)
    crossings = [np.count_nonzero(np.diff(half > 0)) for half in (before, after)]
    before_dbfs, after_dbfs = (decibels(float(np.std(half))) for half in (before, after))
    return bool(after_dbfs > max(LIMIT_CYCLE_DBFS, before_dbfs - 1.0) and min(crossings) >= 2)
