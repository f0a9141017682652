"""A virtual overdrive pedal: a circuit after the Boss SD-1, solved rather than imitated.

    in ─ high-pass ─ clipping stage ─ tone stage ─ level ─ high-pass ─ out

The clipping stage is a non-inverting op-amp. As an ideal op-amp holds its inverting input at ``vin``, the current in
the leg from there to ground is a *linear* high-pass of ``vin``; all of it flows through the feedback, where a
resistor, a capacitor and three diodes (one this way, two in series that way) turn it into a voltage ``v``:

    C dv/dt = i − v/R − Is (e^(v/nVt) − e^(−v/2nVt)),     vout = vin + v

So the one nonlinear memory is ``v``, and R·C forgets within a millisecond. That allows the track to be cut into
thousands of pieces, each started a little early, that NumPy solves side by side: the result is that of a sequential
solver to 1e-9, without a Python step for every sample.

Departures from the pedal: the op-amp is ideal (a 4558 would run out of gain near 14 kHz at full drive), the 51 pF are
the Tube Screamer's, the diodes are 1N4148, the tone stage lacks its second capacitor in the op-amp's feedback, and
the transistor buffers and bypass switches are wires.

Source: Yeh, Abel, Smith, "Simplified, Physically-Informed Models of Distortion and Overdrive Guitar Effects Pedals",
DAFx 2007.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import bilinear, firwin, lfilter, resample_poly

from neuralpedal.contract.errors import RecordingError, SpecError

Signal = NDArray[np.float64]
Filter = tuple[list[float], list[float]]
"""Numerator and denominator in s (rad/s), highest power first."""

FULL_SCALE_V = 1.25
"""Volts at the jacks, in and out, that a sample of 1.0 stands for: a hot humbucker peaks at about 1 V."""

INPUT_HIGH_PASS: Filter = ([47e-9 * 470e3, 0.0], [47e-9 * 470e3, 1.0])
OUTPUT_HIGH_PASS: Filter = ([1e-6 * 10e3, 0.0], [1e-6 * 10e3, 1.0])
LEG: Filter = ([47e-9, 0.0], [47e-9 * 4.7e3, 1.0])
"""Admittance of 4.7 kΩ and 47 nF in series: amperes per volt, above 720 Hz mostly."""

DRIVE_STOP_OHM, DRIVE_POT_OHM = 33e3, 1e6
FEEDBACK_F = 51e-12
SATURATION_A = 2.52e-9
EMISSION_V = 1.752 * 25.85e-3
"""The 1N4148's n·Vt at 27 °C."""

_SETTLED_V = 1e-5
"""A step this small is the last: convergence is cubic, so what is left then is below 1e-12 V."""
_FORGOTTEN_TIME_CONSTANTS = 28.0
"""e^−28 is 1e-12: what a piece does not know of its past is gone after as many R·C."""
_MAX_SEGMENTS = 2048
_PIECE_S = 10.0
_MARGIN_S = 0.02


@dataclass(frozen=True)
class Overdrive:
    """The pedal with its knobs set.

    Attributes:
        drive, tone, level: 0 to 1. Drive and level turn as audio-taper pots do (10 % at the middle).
        oversampling: how many times the track's rate the circuit is solved at, at least 4.

    Raises:
        SpecError: a knob is out of its range.
    """

    drive: float = 0.6
    tone: float = 0.5
    level: float = 0.8
    oversampling: int = 8

    def __post_init__(self) -> None:
        """Check the knobs."""
        for name in ("drive", "tone", "level"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SpecError(f"overdrive: {name} is {getattr(self, name)}, wanted 0 to 1")
        if self.oversampling < 4 or self.oversampling != int(self.oversampling):
            raise SpecError(f"overdrive: oversampling is {self.oversampling}, wanted a whole number from 4")

    @property
    def feedback_ohm(self) -> float:
        """The resistance that the drive knob sets: 33 kΩ to 1.033 MΩ."""
        return DRIVE_STOP_OHM + DRIVE_POT_OHM * audio_taper(self.drive)

    def process(self, dry: NDArray[Any], sample_rate_hz: int) -> NDArray[np.float32]:
        """The wet track of a dry one, both (T,) with full scale ±1. Not real-time safe.

        Latency 0 samples: resampling shifts nothing. What is left is the circuit's own phase: it leads below
        720 Hz and lags above, so that a cross-correlation of playing may peak some samples off.

        Raises:
            RecordingError: not one-dimensional, or holding NaN or infinity.
        """
        if np.ndim(dry) != 1 or not np.all(np.isfinite(dry)):
            raise RecordingError(f"overdrive: a dry track of shape {np.shape(dry)}, wanted (T,) and all samples finite")
        volts = _filter(INPUT_HIGH_PASS, np.asarray(dry, np.float64) * FULL_SCALE_V, sample_rate_hz)
        # Piece by piece for the memory's sake; a margin holds all that filters and resampler remember or foresee.
        step, margin = int(_PIECE_S * sample_rate_hz), int(_MARGIN_S * sample_rate_hz)
        wet = np.empty_like(volts)
        for start in range(0, len(volts), step):
            before = min(start, margin)
            piece = self._clip_and_colour(volts[start - before : start + step + margin], sample_rate_hz)
            wet[start : start + step] = piece[before : before + step]
        wet = _filter(OUTPUT_HIGH_PASS, wet, sample_rate_hz)
        return (wet * audio_taper(self.level) / FULL_SCALE_V).astype(np.float32)

    def _clip_and_colour(self, volts: Signal, sample_rate_hz: int) -> Signal:
        """The two stages that need oversampling."""
        window = _anti_aliasing(self.oversampling)
        rate_hz = sample_rate_hz * self.oversampling
        fast = resample_poly(volts, self.oversampling, 1, window=window)
        fast = _filter(tone_stage(self.tone), clipping_stage(fast, rate_hz, self.feedback_ohm), rate_hz)
        return resample_poly(fast, 1, self.oversampling, window=window)


def audio_taper(turn: float) -> float:
    """Share of an audio-taper pot's resistance at ``turn`` 0 to 1: 0 at 0, 0.1 at the middle, 1 at 1."""
    return (81.0**turn - 1.0) / 80.0


def clipping_stage(vin: Signal, sample_rate_hz: float, feedback_ohm: float) -> Signal:
    """Volts at the clipping op-amp's output for ``vin`` volts at its input, both (T,), at the rate given."""
    return vin + feedback_voltage(_filter(LEG, vin, sample_rate_hz), sample_rate_hz, feedback_ohm)


def feedback_voltage(current: Signal, sample_rate_hz: float, feedback_ohm: float) -> Signal:
    """Volts over the feedback, (T,), for the amperes (T,) that flow through it; at rest before the first.

    Steps by BDF2: of second order, and it forgets stiff parts at once. (The trapezoidal rule rings where a diode
    conducts, because its 9 ns are far below a step; backward Euler dulls the treble.)
    """
    # BDF2's roots shrink by e^(−step/RC) or more at each step, but where RC is short, only e^(−1/1.5) is sure.
    past = int(np.ceil(_FORGOTTEN_TIME_CONSTANTS * max(feedback_ohm * FEEDBACK_F * sample_rate_hz, 1.5)))
    length = max(4 * past, -(-len(current) // _MAX_SEGMENTS))
    segments = -(-len(current) // length)
    padded = np.zeros(past + segments * length)
    padded[past : past + len(current)] = current
    sources = sliding_window_view(padded, past + length)[::length]

    per_step = FEEDBACK_F * sample_rate_hz
    conductance = 1.5 * per_step + 1.0 / feedback_ohm
    result = np.empty((segments, length))
    older = newer = np.zeros(segments)
    for step in range(past + length):
        source = sources[:, step] + per_step * (2.0 * newer - 0.5 * older)
        older, newer = newer, _diode_voltage(source, conductance)
        if step >= past:
            result[:, step - past] = newer
    return result.reshape(-1)[: len(current)]


def _diode_voltage(source: Signal, conductance: float) -> Signal:
    """Solve conductance·v + Is (e^(v/nVt) − e^(−v/2nVt)) = source for every v, to 1e-12 V.

    Halley's method (Newton's with the curvature), safe by its start: with the conductance alone, or the diodes alone,
    v would be larger than it is, and from the smaller of these two bounds no step overshoots.
    """
    size = np.abs(source)
    knee = np.where(source > 0.0, EMISSION_V, 2.0 * EMISSION_V)
    voltage = np.copysign(np.minimum(size / conductance, knee * np.log1p(size / SATURATION_A)), source)
    change = np.full(1, np.inf)
    while np.max(np.abs(change)) > _SETTLED_V:
        backward = SATURATION_A * np.exp(voltage * (-0.5 / EMISSION_V))
        forward = SATURATION_A**3 / (backward * backward)
        excess = conductance * voltage + forward - backward - source
        slope = conductance + (forward + 0.5 * backward) / EMISSION_V
        curvature = (forward - 0.25 * backward) / EMISSION_V**2
        change = 2.0 * excess * slope / (2.0 * slope * slope - excess * curvature)
        voltage -= change
    return voltage


def tone_stage(tone: float) -> Filter:
    """Transfer function of the tone control, gain 1 at 0 Hz.

    10 kΩ and 18 nF roll off above 884 Hz. The pot's wiper leads through 470 Ω and 27 nF to ground: turned to the
    op-amp's input it takes more treble away, turned to its feedback (10 kΩ) it brings treble back.
    """
    r_in, c_in, r_wiper, c_wiper, r_feedback, r_pot, r_end = 10e3, 18e-9, 470.0, 27e-9, 10e3, 20e3, 20.0
    to_input, to_feedback = r_end + r_pot * tone, r_end + r_pot * (1.0 - tone)
    g = 1.0 / to_input + 1.0 / to_feedback
    c_side = c_wiper * (1.0 + g * r_wiper)
    return (
        [c_side + c_wiper * r_feedback / to_feedback, g],
        [r_in * c_in * c_side, r_in * c_in * g + c_side + c_wiper * r_in / to_input, g],
    )


def _filter(analog: Filter, signal: Signal, sample_rate_hz: float) -> Signal:
    return lfilter(*bilinear(*analog, fs=sample_rate_hz), signal)


def _anti_aliasing(oversampling: int) -> Signal:
    """Linear-phase low-pass, flat to 20 kHz and 90 dB down from 26 kHz at 48 kHz."""
    return firwin(2 * 24 * oversampling + 1, 0.95 / oversampling, window=("kaiser", 9.0))
