"""Gains in decibels as factors: every player must multiply with the same float32."""

import numpy as np


def linear_gain(gain_db: float) -> np.float32:
    """A gain in dB as a float32 factor."""
    return np.float32(10.0 ** (gain_db / 20.0))
