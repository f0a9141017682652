"""Signals that tests play, cheap enough to make in every one of them."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000


def plucks(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Something like a guitar, cheaply: decaying harmonics at changing pitches, float32 (T,), peak 0.5."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(rate_hz) / rate_hz
    signal = rng.normal(0, 2e-5, round(seconds * rate_hz) + rate_hz)
    for onset in range(0, round(seconds * rate_hz), rate_hz // 4):
        pitch = 110.0 * 2 ** (rng.integers(0, 24) / 12)
        note = sum(np.sin(2 * np.pi * pitch * k * time_s) / k**1.5 for k in range(1, 6))
        signal[onset : onset + rate_hz] += note * np.exp(-6.0 * time_s) * rng.uniform(0.1, 1.0)
    signal = signal[: round(seconds * rate_hz)]
    return (0.5 * signal / np.max(np.abs(signal))).astype(np.float32)


def soft_clip(dry: NDArray[np.float32]) -> NDArray[np.float32]:
    """A pedal that a tiny network learns in seconds: asymmetric tanh with a one-pole low-pass as memory."""
    clipped = np.tanh(4.0 * dry + 0.2) - np.tanh(0.2)
    wet, previous = np.empty_like(clipped), 0.0
    for index, value in enumerate(clipped):
        previous += 0.4 * (value - previous)
        wet[index] = previous
    return (0.6 * wet).astype(np.float32)
