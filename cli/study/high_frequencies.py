"""Noise and aliasing as the study of 2022 heard them: above 6 kHz, and where the playing is soft.

The error above 6 kHz in dBFS, over everything and over the softest quarter of the take; and how much more a model
sounds up there than its target does. ESR hides all three: the bass of a guitar has a thousand times their energy.
"""

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.metrics import decibels

LOW_EDGE_HZ = 6000
_FFT_SAMPLES, _HOP_SAMPLES = 1024, 512
_SOFT_SHARE = 0.25

Powers = NDArray[np.float64]


def high_frequency_figures(target: NDArray[np.float32], prediction: NDArray[np.float32],
                           sample_rate_hz: int) -> dict[str, float]:
    """Figures of two equally long tracks (T,), T at least 1024.

    ``hf_error_dbfs``: rms of the error above 6 kHz. ``hf_soft_error_dbfs``: the same over the quarter of all moments in
    which the target is softest. ``hf_excess_db``, ``hf_soft_excess_db``: level of the prediction above 6 kHz over the
    target's, everywhere and in soft moments; positive: noise or aliases that are not in the target.
    """
    y, predicted = target.astype(np.float64), prediction.astype(np.float64)
    loudness = _band_powers(y, sample_rate_hz, 0.0)
    soft = loudness <= np.quantile(loudness, _SOFT_SHARE)
    error, wanted, found = (_band_powers(track, sample_rate_hz, LOW_EDGE_HZ) for track in (predicted - y, y, predicted))
    return {
        "hf_error_dbfs": _level_db(error),
        "hf_soft_error_dbfs": _level_db(error[soft]),
        "hf_excess_db": _level_db(found) - _level_db(wanted),
        "hf_soft_excess_db": _level_db(found[soft]) - _level_db(wanted[soft]),
    }


def _band_powers(track: NDArray[np.float64], sample_rate_hz: int, low_hz: float) -> Powers:
    """Mean square of the part above ``low_hz`` in each window."""
    window = np.hanning(_FFT_SAMPLES + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(track, _FFT_SAMPLES)[::_HOP_SAMPLES]
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    power[:, 1:-1] *= 2.0  # each stands for its negative frequency too
    inside = np.fft.rfftfreq(_FFT_SAMPLES, 1 / sample_rate_hz) >= low_hz
    powers: Powers = power[:, inside].sum(axis=1) / (_FFT_SAMPLES * np.sum(window**2))
    return powers


def _level_db(powers: Powers) -> float:
    return decibels(float(np.sqrt(np.mean(powers))))
