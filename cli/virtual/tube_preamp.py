"""A virtual tube preamp: two triode stages after a black-panel amplifier of the sixties, on the edge of breaking up.

    in ─ grid stopper ─ stage 1 ─ volume ─ stage 2 ─ high-pass ─ out

Stage 1 reads the guitar through a wire, its grid cannot be charged. Stage 2 reads it through a capacitor: loud chords
charge it, and the stage is biased colder until the charge has leaked away. So this target has what the overdrive of
the demo has not: a memory of 10 to 40 ms that depends on level.

Departures from the amplifier: no tone stack between the stages (the volume alone takes the level down), no stray
capacitances, a supply that does not sag, and a stage's output does not feel the grid current that it drives.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import bilinear, firwin, lfilter, resample_poly

from neuralpedal.cli.virtual.tube_stage import TubeStage
from neuralpedal.contract.errors import RecordingError, SpecError

INPUT_FULL_SCALE_V = 1.25
"""Volts at the input that a sample of 1.0 stands for: a hot humbucker peaks at about 1 V."""
OUTPUT_FULL_SCALE_V = 200.0
"""Volts around rest at the last plate that become 1.0: between cut-off and saturation lie about 250 V."""

FIRST_STAGE = TubeStage(coupling_f=np.inf, series_ohm=34e3, leak_ohm=1e6)
SECOND_STAGE = TubeStage()

_OUTPUT_HIGH_PASS = ([22e-9 * 220e3, 0.0], [22e-9 * 220e3, 1.0])
_LEAST_RATE_HZ = 88_200


@dataclass(frozen=True)
class TubePreamp:
    """The preamp with its knob set.

    Attributes:
        volume: share of the first stage's swing that reaches the second, 0 to 1.

    Raises:
        SpecError: the knob is out of its range.
    """

    volume: float = 0.12

    def __post_init__(self) -> None:
        """Check the knob."""
        if not 0.0 <= self.volume <= 1.0:
            raise SpecError(f"tube preamp: volume is {self.volume}, wanted 0 to 1")

    def process(self, dry: NDArray[Any], sample_rate_hz: int) -> NDArray[np.float32]:
        """The wet track of a dry one, both (T,) with full scale ±1, at least twice oversampled. Not real-time safe.

        Latency 0 samples. Polarity is kept: two stages turn the signal over twice.

        Raises:
            RecordingError: not one-dimensional, or holding NaN or infinity.
        """
        if np.ndim(dry) != 1 or not np.all(np.isfinite(dry)):
            raise RecordingError(f"tube preamp: a dry track of shape {np.shape(dry)}, wanted (T,), all samples finite")
        if not len(dry):
            return np.zeros(0, np.float32)
        factor = max(2, -(-_LEAST_RATE_HZ // sample_rate_hz))
        window, fast_hz = _anti_aliasing(factor), factor * sample_rate_hz
        volts = resample_poly(np.asarray(dry, np.float64) * INPUT_FULL_SCALE_V, factor, 1, window=window)
        volts = FIRST_STAGE.process(volts, fast_hz) * self.volume
        volts = SECOND_STAGE.process(volts, fast_hz)
        volts = lfilter(*bilinear(*_OUTPUT_HIGH_PASS, fs=fast_hz), volts)
        return (resample_poly(volts, 1, factor, window=window) / OUTPUT_FULL_SCALE_V).astype(np.float32)


def _anti_aliasing(factor: int) -> NDArray[np.float64]:
    """Linear-phase low-pass, flat to 0.9 of the slow rate's Nyquist frequency, 80 dB down from 1.1 of it."""
    return firwin(2 * 24 * factor + 1, 1.0 / factor, window=("kaiser", 8.0))
