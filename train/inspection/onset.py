"""When the first of a pedal's answer arrives: the onset of a correlation, not its peak.

What precedes the onset is latency, what follows is the pedal's. The two are told apart by causality: a causal, minimum
phase response is known from its magnitude alone, so the magnitude gives the response as it would be without latency,
and the phase that is left over is a pure shift (and a sign).

Source: Oppenheim, Schafer, "Discrete-Time Signal Processing", chapter on cepstrum analysis (real cepstrum folded).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Signal = NDArray[np.float64]

REACH_SAMPLES = 160
"""Half the width of the correlation that :func:`find_onset` wants."""

EDGE_LAG_SAMPLES = 0.5
"""A clipped edge between two samples is seen at the later one. So a pedal that makes nearly all of its innovations
itself (a hard clipper) comes out half a sample late, one that only passes those of the guitar not at all; virtual
overdrives in between follow (1 − correlation)^1.5 within a quarter of a sample."""

_BEFORE, _AFTER = 24, 64
_FLOOR = 1e-2
_SIZE = 2048
_UPSAMPLING = 32


@dataclass(frozen=True)
class Onset:
    """Where a response begins.

    Attributes:
        lag_samples: against the middle of the correlation, sub-sample.
        inverted: its first swing is against the dry track's.
        clarity: the onset's height over the largest of the other sign or elsewhere; 1 is no onset at all.
    """

    lag_samples: float
    inverted: bool
    clarity: float


def find_onset(correlation: Signal) -> Onset:
    """The onset of a correlation of innovations (2·REACH_SAMPLES + 1,) that peaks within 96 samples of its middle."""
    middle = len(correlation) // 2
    allowed = np.abs(correlation[_BEFORE : len(correlation) - _AFTER])
    peak = int(np.argmax(allowed)) + _BEFORE
    piece = correlation[peak - _BEFORE : peak + _AFTER] * _taper()
    spectrum = fft.fft(piece, _SIZE)
    magnitude = np.hypot(np.abs(spectrum), _FLOOR * np.max(np.abs(spectrum)))
    left_over = spectrum / magnitude * np.exp(-1j * _minimum_phase(magnitude))
    shift, height, clarity = _impulse(left_over)
    edges = EDGE_LAG_SAMPLES * (1.0 - shared_innovation(correlation)) ** 1.5
    return Onset(peak - _BEFORE + shift - edges - middle, height < 0.0, clarity)


def shared_innovation(correlation: Signal) -> float:
    """How much of the wet track's news is the dry track's, 0 to 1: about 0.9 for a clean boost, 0.1 for a fuzz."""
    peak = int(np.argmax(np.abs(correlation)))
    # Over a few samples, as a latency between two samples spreads the peak.
    return min(1.0, float(np.linalg.norm(correlation[max(0, peak - 4) : peak + 5])))


def _taper() -> Signal:
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(_BEFORE // 2) / (_BEFORE // 2))
    fall = 0.5 + 0.5 * np.cos(np.pi * np.arange(_AFTER // 2) / (_AFTER // 2))
    return np.concatenate([rise, np.ones(_BEFORE + _AFTER - len(rise) - len(fall)), fall])


def _minimum_phase(magnitude: Signal) -> Signal:
    """The phase (N,) in radians of the causal response with this magnitude (N,) and the least delay."""
    cepstrum = fft.ifft(np.log(magnitude)).real
    fold = np.zeros(len(magnitude))
    fold[[0, len(magnitude) // 2]] = 1.0
    fold[1 : len(magnitude) // 2] = 2.0
    return fft.fft(cepstrum * fold).imag


def _impulse(spectrum: NDArray[np.complex128]) -> tuple[float, float, float]:
    """Place in samples, signed height and clarity of the one impulse that ``spectrum`` (N,) is meant to hold."""
    half = _SIZE // 2
    fine = np.zeros(_SIZE * _UPSAMPLING, np.complex128)
    fine[:half], fine[-half + 1 :] = spectrum[:half], spectrum[half + 1 :]
    response = fft.ifft(fine).real * _UPSAMPLING
    response = np.roll(response, _AFTER * _UPSAMPLING)[: 3 * _AFTER * _UPSAMPLING]
    at = int(np.argmax(np.abs(response)))
    elsewhere = np.abs(response)
    elsewhere[max(0, at - 3 * _UPSAMPLING) : at + 3 * _UPSAMPLING] = 0.0
    clarity = abs(response[at]) / max(float(np.max(elsewhere)), 1e-12)
    return at / _UPSAMPLING - _AFTER, float(response[at]), float(clarity)
