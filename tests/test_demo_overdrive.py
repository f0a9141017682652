"""The demo's pedal: the fast solver equals a slow one, the slow one equals the physics, and the knobs work."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.signal import correlate

from neuralpedal.cli.demo import overdrive
from neuralpedal.cli.demo.overdrive import FULL_SCALE_V, Overdrive, audio_taper, clipping_stage, feedback_voltage
from neuralpedal.cli.virtual.guitar import synthesize_guitar
from neuralpedal.contract.errors import RecordingError, SpecError

RATE_HZ = 48000
FAST_HZ = 8 * RATE_HZ
C, IS, NVT = 51e-12, 2.52e-9, 1.752 * 25.85e-3


def diode_current(v: float) -> float:
    """One diode this way, two in series that way; amperes."""
    return IS * np.expm1(v / NVT) - IS * np.expm1(-v / (2 * NVT))


def sequential_voltage(current: np.ndarray, rate_hz: float, feedback_ohm: float) -> np.ndarray:
    """The same BDF2 steps one after another, each solved by bracketing."""
    older = newer = 0.0
    result = []
    for now in current:
        def excess(v: float, now: float = now, newer: float = newer, older: float = older) -> float:
            return C * rate_hz * (1.5 * v - 2 * newer + 0.5 * older) + v / feedback_ohm + diode_current(v) - now
        older, newer = newer, brentq(excess, -3.0, 3.0, xtol=1e-14, rtol=1e-14)
        result.append(newer)
    return np.array(result)


def sine(frequency_hz: float, peak: float, seconds: float = 1.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return peak * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def settled_spectrum(pedal: Overdrive, frequency_hz: float, peak: float) -> np.ndarray:
    """Amplitudes of 1 Hz bins over one settled second of a sine: whole periods, no window needed."""
    wet = pedal.process(sine(frequency_hz, peak, 1.3), RATE_HZ).astype(np.float64)[-RATE_HZ - 2400 : -2400]
    return np.abs(np.fft.rfft(wet)) * 2 / RATE_HZ


def harmonics_db(spectrum: np.ndarray, frequency_hz: int) -> np.ndarray:
    """Harmonics 2, 3, 4 … against the fundamental; index 0 is the second."""
    amplitudes = spectrum[frequency_hz : 20000 : frequency_hz]
    return 20 * np.log10(amplitudes[1:] / amplitudes[0] + 1e-12)


@pytest.mark.parametrize("drive", [0.0, 1.0])
def test_segments_side_by_side_equal_one_sequential_solve(drive, monkeypatch):
    monkeypatch.setattr(overdrive, "_MAX_SEGMENTS", 64)
    noise = np.random.default_rng(0).normal(0.0, 2e-5, 6000)
    current = (sine(700.0, 2e-4, 6000 / FAST_HZ, FAST_HZ) + noise) * np.hanning(6000)
    feedback_ohm = Overdrive(drive=drive).feedback_ohm
    fast = feedback_voltage(current, FAST_HZ, feedback_ohm)
    assert np.max(np.abs(fast - sequential_voltage(current, FAST_HZ, feedback_ohm))) < 1e-9
    assert fast.max() > 0.4 and fast.min() < -0.8  # both diode paths were reached


def test_segments_forget_their_start_at_any_resistance():
    current = 1e-4 * np.sin(np.arange(100_000) * 2 * np.pi * 110 / FAST_HZ)
    for drive in (0.0, 1.0):
        feedback_ohm = Overdrive(drive=drive).feedback_ohm
        whole = feedback_voltage(current, FAST_HZ, feedback_ohm)
        part = feedback_voltage(current[:40_001], FAST_HZ, feedback_ohm)  # cut elsewhere, so segmented elsewhere
        assert np.max(np.abs(whole[:40_001] - part)) < 1e-11


@pytest.mark.parametrize(("frequency_hz", "ampere"), [(110.0, 2e-4), (1000.0, 1e-4), (5000.0, 2e-6)])
def test_the_solver_agrees_with_the_differential_equation(frequency_hz, ampere):
    omega, seconds = 2 * np.pi * frequency_hz, 2 / frequency_hz
    resistance = 500e3
    time_s = np.arange(round(seconds * FAST_HZ)) / FAST_HZ
    truth = solve_ivp(lambda t, v: (ampere * np.sin(omega * t) - v / resistance - diode_current(v)) / C,
                      (0, seconds), [0.0], "LSODA", time_s, rtol=1e-8, atol=1e-10).y[0]
    error = feedback_voltage(ampere * np.sin(omega * time_s), FAST_HZ, resistance) - truth
    assert np.sqrt(np.mean(error**2)) < 3e-3 * np.sqrt(np.mean(truth**2))


def test_a_finer_step_changes_the_solution_quadratically():
    def at(factor: int) -> np.ndarray:
        current = sine(3000.0, 3e-6, 0.002, FAST_HZ * factor)
        return feedback_voltage(current, FAST_HZ * factor, 100e3)[::factor]

    truth = at(16)
    coarse, fine = (np.max(np.abs(at(factor) - truth)[200:]) for factor in (1, 2))
    assert coarse / fine == pytest.approx(4.0, rel=0.2)


def analytic_gain(pedal: Overdrive, frequency_hz: float) -> complex:
    """The small-signal circuit, its tone stage by nodal analysis."""
    s = 2j * np.pi * frequency_hz
    leg = 1 / (4.7e3 + 1 / (s * 47e-9))
    feedback = 1 / pedal.feedback_ohm + s * C + 1.5 * IS / NVT  # the diodes conduct a little at rest, too
    high_passes = (1 - 1 / (1 + s * 47e-9 * 470e3)) * (1 - 1 / (1 + s * 1e-6 * 10e3))
    to_input, to_feedback = 1 / (20 + 20e3 * pedal.tone), 1 / (20 + 20e3 * (1 - pedal.tone))
    wiper = 1 / (470 + 1 / (s * 27e-9))
    # Unknowns: the op-amp's two inputs (equal), the wiper, the output. Currents into input, wiper, feedback node.
    nodes = np.array([[1 / 10e3 + s * 18e-9 + to_input, -to_input, 0],
                      [-to_input - to_feedback, to_input + to_feedback + wiper, 0],
                      [to_feedback + 1 / 10e3, -to_feedback, -1 / 10e3]])
    tone = np.linalg.solve(nodes, [1 / 10e3, 0, 0])[2]
    return complex((1 + leg / feedback) * high_passes * tone * audio_taper(pedal.level))


@pytest.mark.parametrize("pedal", [Overdrive(), Overdrive(drive=0.0, tone=1.0), Overdrive(drive=1.0, tone=0.0)])
def test_the_small_signal_response_is_the_circuits_in_gain_and_phase(pedal):
    length = RATE_HZ
    impulse = np.zeros(length)
    impulse[length // 2] = 1e-5
    response = np.fft.rfft(np.roll(pedal.process(impulse, RATE_HZ).astype(np.float64), -length // 2)) / 1e-5
    for frequency_hz in (40, 100, 400, 1000, 3000, 8000):
        ratio = response[frequency_hz] / analytic_gain(pedal, frequency_hz)
        assert abs(20 * np.log10(abs(ratio))) < 0.1, frequency_hz
        assert abs(np.degrees(np.angle(ratio))) < 1.5, frequency_hz  # half a sample late would be 30° at 8 kHz


@pytest.mark.parametrize("oversampling", [4, 5, 8])
def test_the_wet_track_is_aligned_with_the_dry_one(oversampling):
    # With little drive and full tone the circuit is nearly flat, so that its own phase moves no peak.
    noise = np.random.default_rng(0).normal(0.0, 0.05, RATE_HZ)
    wet = Overdrive(drive=0.0, tone=1.0, oversampling=oversampling).process(noise, RATE_HZ)
    assert np.argmax(np.abs(correlate(wet, noise, "full"))) - (len(noise) - 1) == 0


def test_a_signal_at_minus_80_dbfs_passes_linearly():
    assert harmonics_db(settled_spectrum(Overdrive(), 400, 1e-4), 400).max() < -60


def test_asymmetric_diodes_make_even_harmonics():
    loud = harmonics_db(settled_spectrum(Overdrive(), 220, 0.5), 220)
    assert loud[0] > -35  # second
    assert loud[2] > -50  # fourth


def aliasing_db(spectrum: np.ndarray, frequency_hz: int) -> float:
    power = spectrum[20:] ** 2
    wanted = power[frequency_hz - 20 :: frequency_hz].sum()
    return float(10 * np.log10((power.sum() - wanted) / wanted))


def test_oversampling_lowers_aliasing_by_more_than_20_db():
    pedal = Overdrive(tone=1.0)
    naive = clipping_stage(FULL_SCALE_V * sine(5000, 1.0, 2.0), RATE_HZ, pedal.feedback_ohm)
    naive_spectrum = np.abs(np.fft.rfft(naive[RATE_HZ:]))
    oversampled = aliasing_db(settled_spectrum(pedal, 5000, 1.0), 5000)
    assert oversampled < aliasing_db(naive_spectrum, 5000) - 20
    assert oversampled < -50


def test_more_drive_means_more_harmonics():
    distortion = [np.sum(10 ** (harmonics_db(settled_spectrum(Overdrive(drive=drive), 300, 0.02), 300) / 10))
                  for drive in (0.0, 0.4, 0.8)]
    assert distortion[0] * 4 < distortion[1] and distortion[1] * 2 < distortion[2]


def test_more_tone_means_more_treble_and_level_is_loudness():
    dry = synthesize_guitar(1.0, RATE_HZ, seed=0)

    def treble_share(tone: float) -> float:
        power = np.abs(np.fft.rfft(Overdrive(tone=tone).process(dry, RATE_HZ))) ** 2
        return float(power[2000:].sum() / power.sum())

    assert treble_share(0.0) * 2 < treble_share(0.5) < treble_share(1.0) / 2
    quiet, loud = (Overdrive(level=level).process(dry, RATE_HZ) for level in (0.5, 1.0))
    np.testing.assert_allclose(loud, quiet * 10, rtol=1e-4, atol=1e-6)


def test_default_knobs_keep_the_loudest_playing_below_full_scale():
    dry = synthesize_guitar(1.5, RATE_HZ, seed=4)
    wet = Overdrive().process(dry / np.max(np.abs(dry)), RATE_HZ)
    assert wet.dtype == np.float32 and wet.shape == dry.shape and np.all(np.isfinite(wet))
    assert 0.2 < np.max(np.abs(wet)) < 1.0


def test_the_seams_of_a_long_track_cannot_be_found(monkeypatch):
    dry = synthesize_guitar(1.0, RATE_HZ, seed=0)
    whole = Overdrive().process(dry, RATE_HZ)
    monkeypatch.setattr(overdrive, "_PIECE_S", 0.213)
    np.testing.assert_allclose(Overdrive().process(dry, RATE_HZ), whole, rtol=0, atol=1e-7)


@pytest.mark.parametrize("length", [0, 1, 7])
def test_the_shortest_tracks_keep_their_length(length):
    assert Overdrive().process(np.zeros(length, np.float32), RATE_HZ).shape == (length,)


@pytest.mark.parametrize("knobs", [{"drive": -0.1}, {"tone": 1.01}, {"level": float("nan")}, {"oversampling": 2},
                                   {"oversampling": 4.5}])
def test_an_impossible_knob_is_named(knobs):
    with pytest.raises(SpecError, match=next(iter(knobs))):
        Overdrive(**knobs)


@pytest.mark.parametrize("dry", [np.array([0.0, np.nan]), np.zeros((2, 2))])
def test_a_track_that_is_not_finite_mono_audio_is_refused(dry):
    with pytest.raises(RecordingError, match="overdrive"):
        Overdrive().process(dry, RATE_HZ)
