"""The unpredictable part of a track: what remains when linear prediction has told all it knows.

A pedal's filters bend the phase of what passes, so a cross-correlation of playing peaks several samples off. Linear
prediction undoes every minimum-phase filter, magnitude and phase together, and nearly every analog filter is one. What
is left of dry and wet are the innovations (pick noise, edges, hiss), and those arrive when they arrive.

Source: Makhoul, "Linear Prediction: A Tutorial Review", Proceedings of the IEEE 63(4), 1975.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Signal = NDArray[np.float64]

ORDER = 32
FRAME_SAMPLES = 4096
"""Long enough to average over pitch periods, short enough to follow the notes."""

_CONDITIONING = 1e-9
_SILENT_POWER = 1e-16
_FRAMES_AT_ONCE = 256


def innovations(signal: NDArray[np.floating]) -> Signal:
    """Prediction residual (T,) of ``signal`` (T,), every frame brought to the same level; silent frames stay 0.

    A quiet frame counts as much as a loud one: there a pedal is closest to linear.
    """
    hop = FRAME_SAMPLES // 2
    frames = -(-len(signal) // hop) + 1
    padded = np.zeros(ORDER + (frames + 1) * hop)
    padded[ORDER + hop : ORDER + hop + len(signal)] = signal
    views = np.lib.stride_tricks.sliding_window_view(padded, ORDER + FRAME_SAMPLES)[::hop]
    result = np.zeros(len(padded) - ORDER)
    for first in range(0, len(views), _FRAMES_AT_ONCE):
        for index, residual in enumerate(_residuals(views[first : first + _FRAMES_AT_ONCE]), start=first):
            result[index * hop : index * hop + FRAME_SAMPLES] += residual
    return result[hop : hop + len(signal)]


def _residuals(frames: NDArray[np.float64]) -> Signal:
    """Windowed residuals (N, FRAME_SAMPLES) of frames (N, ORDER + FRAME_SAMPLES) that begin with their past."""
    window = np.hanning(FRAME_SAMPLES + 1)[:-1]
    # What wraps around lands beyond the lags that are read.
    padded = fft.next_fast_len(FRAME_SAMPLES + ORDER, real=True)
    spectrum = fft.rfft(frames[:, ORDER:] * window, padded)
    correlation = fft.irfft(spectrum.real**2 + spectrum.imag**2, padded)[:, : ORDER + 1]
    length = fft.next_fast_len(frames.shape[1], real=True)
    filtered = fft.irfft(fft.rfft(frames, length) * fft.rfft(_predictors(correlation), length), length)
    residual = filtered[:, ORDER : ORDER + FRAME_SAMPLES]
    power = np.mean(np.square(residual), axis=1, keepdims=True)
    heard = correlation[:, :1] > _SILENT_POWER * FRAME_SAMPLES
    return np.where(heard, residual / np.sqrt(power + 1e-30), 0.0) * window


def _predictors(correlation: NDArray[np.float64]) -> Signal:
    """Prediction-error filters (N, ORDER + 1) of autocorrelations (N, ORDER + 1), by Levinson's recursion."""
    r = correlation.copy()
    r[:, 0] = r[:, 0] * (1.0 + _CONDITIONING) + 1e-30
    a = np.zeros_like(r)
    a[:, 0] = 1.0
    error = r[:, 0].copy()
    for step in range(1, r.shape[1]):
        reflection = -np.sum(a[:, :step] * r[:, step:0:-1], axis=1) / error
        a[:, 1 : step + 1] += reflection[:, np.newaxis] * a[:, step - 1 :: -1][:, :step]
        error *= 1.0 - reflection**2
    return a
