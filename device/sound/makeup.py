"""The level of a filter: the gain that leaves a guitar about as loud as it was."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BAND_HZ = (80.0, 5000.0)
"""Where a guitar lies: from the lowest string's fundamental to the end of a loudspeaker."""

_POINTS = 240


def makeup_gain(response: Callable[[NDArray[np.float64]], NDArray[np.complex128]]) -> float:
    """The factor that brings a response's mean power over ``BAND_HZ``, each octave counting alike, to 1.

    Args:
        response: complex gain at frequencies in Hz (F,).
    """
    power = np.mean(np.abs(response(np.geomspace(*BAND_HZ, _POINTS))) ** 2)
    return float(1.0 / np.sqrt(power)) if power > 0.0 else 1.0
