"""Wet tracks as a careless recordist makes them: late, early, inverted, drifting, noisy."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import resample_poly

MARGIN = 4096
UPSAMPLING = 4


def misalign(wet: NDArray[np.float32], latency_samples: float = 0.0, drift_ppm: float = 0.0, inverted: bool = False,
             noise_rms: float = 0.0, seed: int = 2**20) -> NDArray[np.float32]:
    """``wet`` (T,) that many samples late at its beginning, and ever later; silence where nothing was recorded.

    By splines of fifth order over four times the rate: not the interpolation of contract/alignment.py, which is under
    test. The seed is not one that tests make dry tracks with: equal hiss in both tracks would be found, at latency 0.
    """
    fine = resample_poly(np.pad(wet.astype(np.float64), MARGIN), UPSAMPLING, 1, window=("kaiser", 10.0))
    places = (np.arange(len(wet)) - latency_samples) / (1.0 + drift_ppm * 1e-6)
    moved = _read(fine, places)
    moved = moved + np.random.default_rng(seed).normal(0.0, noise_rms, len(wet)) if noise_rms else moved
    return (-moved if inverted else moved).astype(np.float32)


def sway(wet: NDArray[np.float32], rate_hz: float, depth_samples: float, mix: float, sample_rate_hz: int,
         latency_samples: float = 0.0) -> NDArray[np.float32]:
    """``wet`` (T,) as vibrato (mix 1) or chorus make it: its delay swings by ±depth about that latency and depth."""
    fine = resample_poly(np.pad(wet.astype(np.float64), MARGIN), UPSAMPLING, 1, window=("kaiser", 10.0))
    time = np.arange(len(wet))
    swing = np.sin(2.0 * np.pi * rate_hz * time / sample_rate_hz + 0.7)
    moved = _read(fine, time - latency_samples - depth_samples * (1.0 + swing))
    return ((1.0 - mix) * wet + mix * moved).astype(np.float32)


def _read(fine: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The padded and upsampled track at ``places`` of the original."""
    at = np.clip((places + MARGIN) * UPSAMPLING, 0, len(fine) - 1)
    return map_coordinates(fine, [at], order=5, mode="nearest")
