"""How far a model's spectrum is from the real pedal's: in which band an error lies, and what it does to magnitudes.

ESR is one number of the whole waveform, and the bass of a guitar decides it: fizz at 8 kHz that everybody hears hides
behind it. So the error is measured per band, and as the distance of magnitude spectra, which forgives phase.

Everything runs on short-time spectra in chunks, so that a long take costs no more memory than a short one. Inputs as
in :mod:`neuralpedal.contract.metrics`: (T,), target first, full scale ±1; all sums in float64.

Sources: Arık, Jun, Diamos, "Fast Spectrogram Inversion Using Multi-Head Convolutional Neural Networks", 2018 (spectral
convergence, log magnitude); Yamamoto, Song, Kim, "Parallel WaveGAN", 2020 (several resolutions); Steinmetz, Reiss,
"auraloss", 2020 (the settings, whose figures ours equal).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.metrics import energy, target_and_error

Signal = NDArray[Any]
Spectra = NDArray[np.complex128]


@dataclass(frozen=True)
class Resolution:
    """Lengths of one short-time Fourier transform, in samples; the Hann window is padded to the transform's length."""

    fft_samples: int
    hop_samples: int
    window_samples: int


RESOLUTIONS = (Resolution(1024, 120, 600), Resolution(2048, 240, 1200), Resolution(512, 50, 240))
"""Those of Parallel WaveGAN and auraloss, so that figures can be compared with the literature."""

BAND_EDGES_KHZ = (0, 2, 6, 12, 24)
"""0–2: the notes; 2–6: bite and presence; 6–12: fizz; 12–24: air, and where aliases fold to first."""

SILENT_BAND_DBFS = -120.0
"""A band of the target below this rms has nothing to compare with: its ESR would be a ratio of rounding errors."""

_BAND_RESOLUTION = Resolution(2048, 512, 2048)
_SMALLEST_POWER = 1e-8  # auraloss's eps: magnitudes below 1e-4 are equal, not infinitely apart
_FRAMES_PER_CHUNK = 1024


def mr_stft(target: Signal, prediction: Signal) -> tuple[float, float]:
    """Multi-resolution STFT distance as its two terms, each the mean over ``RESOLUTIONS``; their sum is ``mr_stft``.

    With magnitudes S and Ŝ: spectral convergence ‖S−Ŝ‖ / ‖S‖ (Frobenius), and mean |ln S − ln Ŝ|. Both are 0 for equal
    signals and blind to phase and polarity; a wrong gain g gives |1−g| and |ln g|. The second weighs soft partials as
    loud ones. Windows are counted in samples: compare figures at one sample rate only.

    Raises:
        RecordingError: shapes differ, or the target has no energy.
    """
    y, error = target_and_error(target, prediction)
    energy(y)
    terms = np.mean([_distance(y, y - error, resolution) for resolution in RESOLUTIONS], axis=0)
    return float(terms[0]), float(terms[1])


def band_esr(target: Signal, prediction: Signal, sample_rate_hz: int) -> dict[str, float | None]:
    """ESR within each band: Σ|Y−Ŷ|² / Σ|Y|² over all frames and over the bins of [low, high).

    By Parseval the mean of the band ESRs, weighted with the target's energy per band, is the ESR, but for the
    first and last 20 ms, which windows weigh less. A band counts as far as it lies below the Nyquist frequency.

    Returns:
        ``esr_0_2_khz`` …; None for a band above Nyquist, or one where the target is silent.

    Raises:
        RecordingError: shapes differ, or the target has no energy.
    """
    y, error = target_and_error(target, prediction)
    energy(y)
    signal_power, error_power = (np.zeros(_BAND_RESOLUTION.fft_samples // 2 + 1) for _ in range(2))
    count = 0
    # Whole frames alone: the kink of a reflected end would spill over all bands.
    y, error = (np.pad(track, (0, max(0, _BAND_RESOLUTION.fft_samples - len(track)))) for track in (y, error))
    for target_frames, error_frames in _frames(y, error, _BAND_RESOLUTION):
        signal_power += np.sum(_power(target_frames), axis=0)
        error_power += np.sum(_power(error_frames), axis=0)
        count += len(target_frames)
    for power in (signal_power, error_power):
        power[[0, -1]] *= 0.5  # every other bin also stands for its negative frequency
    silent = _silent_power(count)
    ratios: dict[str, float | None] = {}
    for name, band in _bands(sample_rate_hz):
        signal = float(np.sum(signal_power[band]))
        ratios[name] = float(np.sum(error_power[band])) / signal if signal > silent else None
    return ratios


def all_spectral_metrics(target: Signal, prediction: Signal, sample_rate_hz: int) -> dict[str, float | None]:
    """Every figure of this file under its JSON key. Raises RecordingError as they do."""
    convergence, log_magnitude = mr_stft(target, prediction)
    return {
        "mr_stft": convergence + log_magnitude,
        "mr_stft_convergence": convergence,
        "mr_stft_log_magnitude": log_magnitude,
        **band_esr(target, prediction, sample_rate_hz),
    }


def _distance(target: NDArray[np.float64], prediction: NDArray[np.float64],
              resolution: Resolution) -> tuple[float, float]:
    """Spectral convergence and log-magnitude distance at one resolution."""
    difference = reference = logarithms = 0.0
    bins = 0
    # As auraloss: frame t is centred on sample t·hop, the ends are reflected.
    padded = [np.pad(track, resolution.fft_samples // 2, "reflect") for track in (target, prediction)]
    for target_frames, predicted_frames in _frames(padded[0], padded[1], resolution):
        wanted, found = (np.maximum(_power(frames), _SMALLEST_POWER) for frames in (target_frames, predicted_frames))
        # ln √a − ln √b without the roots: half as many slow functions.
        logarithms += 0.5 * float(np.sum(np.abs(np.log(wanted / found))))
        difference += float(np.sum((np.sqrt(wanted) - np.sqrt(found)) ** 2))
        reference += float(np.sum(wanted))
        bins += wanted.size
    return math.sqrt(difference / reference), logarithms / bins


def _frames(first: NDArray[np.float64], second: NDArray[np.float64],
            resolution: Resolution) -> Iterator[tuple[Spectra, Spectra]]:
    """Spectra of both signals, (frames, bins) a chunk; as many frames as are whole."""
    length, window = resolution.fft_samples, resolution.window_samples
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    # Where the shorter window sits inside the transform turns phases alone, and nobody here looks at those.
    skipped = (length - window) // 2
    views = [np.lib.stride_tricks.sliding_window_view(track[skipped:], window) for track in (first, second)]
    count = 1 + (len(first) - length) // resolution.hop_samples
    for start in range(0, count, _FRAMES_PER_CHUNK):
        stop = min(start + _FRAMES_PER_CHUNK, count)
        taken = slice(start * resolution.hop_samples, (stop - 1) * resolution.hop_samples + 1, resolution.hop_samples)
        a, b = (np.fft.rfft(view[taken] * hann, length) for view in views)
        yield a, b


def _power(spectra: Spectra) -> NDArray[np.float64]:
    return spectra.real**2 + spectra.imag**2


def _bands(sample_rate_hz: int) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Name and mask of each band over the bins of ``_BAND_RESOLUTION``; nothing is set in a band above Nyquist."""
    bins_hz = np.fft.rfftfreq(_BAND_RESOLUTION.fft_samples, 1 / sample_rate_hz)
    for low_khz, high_khz in pairwise(BAND_EDGES_KHZ):
        # A bin at Nyquist itself holds no band of its own: at 24 kHz sampling, 12–24 kHz is absent.
        inside = (bins_hz >= 1000 * low_khz) & (bins_hz < 1000 * high_khz) & (1000 * low_khz < sample_rate_hz / 2)
        yield f"esr_{low_khz}_{high_khz}_khz", inside


def _silent_power(frames: int) -> float:
    """What Σ|Y|² over one-sided bins and all frames is for a signal of ``SILENT_BAND_DBFS`` rms."""
    window_energy = 0.375 * _BAND_RESOLUTION.window_samples  # Σ of a squared Hann window
    return 0.5 * frames * _BAND_RESOLUTION.fft_samples * window_energy * 10.0 ** (SILENT_BAND_DBFS / 10.0)
