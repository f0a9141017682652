"""What is lost by beginning in zero state where a file has a learned one: a moment at the start, and how long it is.

Players of such files let half a second of silence pass before anybody plays. So both beginnings are played on silence,
side by side, until they are one.
"""

from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.train.importing.capture import Capture

SECONDS = 0.5
AUDIBLE = 1e-4
"""Difference of the outputs, −80 dBFS, below which the two beginnings are one."""

_SAME = 1e-9


@dataclass(frozen=True)
class InitialStateEffect:
    """How the output from zero state differs from that of the learned state.

    Attributes:
        largest: the largest difference. settled_after_s: from when on it stays below ``AUDIBLE``; None: not within
            half a second.
    """

    largest: float
    settled_after_s: float | None

    def said(self) -> str:
        """A sentence."""
        after = (f"below {AUDIBLE:g} after {1e3 * self.settled_after_s:.0f} ms" if self.settled_after_s is not None
                 else f"not below {AUDIBLE:g} after {SECONDS:g} s of silence")
        return (f"begins in a learned state, here in zero state: the outputs differ by {self.largest:.2g} at most, "
                f"{after}; the state is kept in training.json")


def measure_initial_state(capture: Capture) -> InitialStateEffect | None:
    """Play silence from both states; None for a capture without an initial state."""
    if capture.initial_state is None:
        return None
    network = ReferenceNetwork(capture.weights, lanes=2)
    network.states = [tuple(np.stack([array, np.zeros_like(array)]).astype(np.float64) for array in layer)
                      for layer in capture.initial_state]
    rate, largest, last = capture.weights.spec.sample_rate_hz, 0.0, -1
    samples, silence = round(SECONDS * rate), np.zeros(2)
    for t in range(samples):
        learned, zero = network.step(silence)
        difference = abs(learned - zero)
        largest = max(largest, difference)
        last = t if difference >= AUDIBLE else last
        if all(np.max(np.abs(array[0] - array[1])) < _SAME for layer in network.states for array in layer):
            break
    return InitialStateEffect(float(largest), None if last == samples - 1 else (last + 1) / rate)
