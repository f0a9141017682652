"""Wet tracks as a careless recordist makes them: late, early, inverted, drifting, noisy."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import resample_poly

MARGIN = 4096
UPSAMPLING = 8


def misalign(wet: NDArray[np.float32], latency_samples: float = 0.0, drift_ppm: float = 0.0, inverted: bool = False,
             noise_rms: float = 0.0, seed: int = 2**20) -> NDArray[np.float32]:
    """``wet`` (T,) that many samples late at its beginning, and ever later; silence where nothing was recorded.

    By splines over eight times the rate: not the interpolation of contract/alignment.py, which is under test. The seed
    is not one that tests make dry tracks with: equal hiss in both tracks would be found, at latency 0.
    """
    fine = resample_poly(np.pad(wet.astype(np.float64), MARGIN), UPSAMPLING, 1, window=("kaiser", 10.0))
    times = np.arange(len(fine)) / UPSAMPLING - MARGIN
    places = (np.arange(len(wet)) - latency_samples) / (1.0 + drift_ppm * 1e-6)
    moved = CubicSpline(times, fine)(np.clip(places, times[0], times[-1]))
    moved = moved + np.random.default_rng(seed).normal(0.0, noise_rms, len(wet)) if noise_rms else moved
    return (-moved if inverted else moved).astype(np.float32)
