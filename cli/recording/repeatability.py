"""How alike a pedal's two answers to one passage are: what differs, no network can predict."""

import numpy as np
from numpy.typing import NDArray

Track = NDArray[np.float32]


def repeatability_esr(first: Track, second: Track) -> float:
    """The lowest ESR that a model can reach, from two answers (T,) to the same samples.

    A model that played what both have in common would miss each by as much as the other would; with independent noise
    of power N in both, their difference has 2N, and the best model errs by N. So: half the difference's energy over
    the answers' own.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    energy = 0.5 * (np.dot(a, a) + np.dot(b, b))
    return float(0.5 * np.dot(a - b, a - b) / max(energy, 1e-30))
