"""Probes of curves and filters whose aliasing and whose silence are known from theory."""

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.contract import probes
from signals import RATE_HZ

RATES_HZ = [22_050, 44_100, 48_000, 96_000]
LSB = 1 / 128


def ratio_db(play, frequency_hz: int, level_dbfs: int = 0, rate_hz: int = RATE_HZ) -> float:
    return probes.probe_aliasing(play, rate_hz, frequency_hz, level_dbfs).aliasing_db


def clip(samples: np.ndarray) -> np.ndarray:
    return np.clip(4 * samples, -1, 1)


def clip_oversampled(samples: np.ndarray) -> np.ndarray:
    """Causal filters, because the window ends where the samples end."""
    low_pass = scipy.signal.firwin(3201, 0.95 / 8, window=("kaiser", 12.0))
    clipped = clip(scipy.signal.upfirdn(8 * low_pass, samples, up=8))
    return scipy.signal.upfirdn(low_pass, clipped, down=8)[: len(samples)]


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("frequency_hz", probes.ALIASING_FREQUENCIES_HZ)
@pytest.mark.parametrize("level_dbfs", probes.ALIASING_LEVELS_DBFS)
def test_the_harmonics_of_a_polynomial_below_nyquist_are_no_aliases(rate_hz, frequency_hz, level_dbfs):
    assert ratio_db(lambda x: x + 0.3 * x**2 - 0.2 * x**3, frequency_hz, level_dbfs, rate_hz) < -280


def test_the_third_harmonic_of_5_khz_folds_at_22050_hz_and_is_an_alias():
    # sin³ = (3·sin − sin 3φ)/4: of x − 0.2x³ the alias has amplitude 0.05, the fundamental 0.85.
    play = lambda x: x - 0.2 * x**3  # noqa: E731
    assert ratio_db(play, 5000, 0, 22_050) == pytest.approx(20 * np.log10(0.05 / 0.85), abs=1e-6)
    assert ratio_db(play, 2500, 0, 22_050) < -280


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("frequency_hz", probes.ALIASING_FREQUENCIES_HZ)
def test_a_square_wave_aliases_as_its_fourier_series_says(rate_hz, frequency_hz):
    # sign(sin) has mean square 1 and odd harmonics of power 8/(π·k)²; what is not below Nyquist has folded.
    harmonics = sum(8 / (np.pi * k) ** 2 for k in range(1, int(rate_hz / 2 / frequency_hz) + 1, 2))
    wanted = 10 * np.log10((1 - harmonics) / harmonics)
    assert ratio_db(np.sign, frequency_hz, rate_hz=rate_hz) == pytest.approx(wanted, abs=0.03)


def test_a_naive_clipper_aliases_more_the_higher_and_the_louder_the_sine():
    by_frequency = [ratio_db(clip, frequency) for frequency in probes.ALIASING_FREQUENCIES_HZ]
    by_level = [ratio_db(clip, 5000, level) for level in (-20, -10, 0)]
    assert by_frequency == sorted(by_frequency) and by_frequency[0] > -45 and by_frequency[-1] > -20
    # At −20 dBFS it does not clip yet: 4 × 0.1.
    assert by_level[0] < -280 and -60 < by_level[1] < by_level[2]


def test_a_clipper_at_eight_times_the_rate_aliases_far_less():
    for frequency_hz in probes.ALIASING_FREQUENCIES_HZ:
        assert ratio_db(clip_oversampled, frequency_hz) < ratio_db(clip, frequency_hz) - 30


def test_rounding_to_8_bits_is_noise_of_a_twelfth_of_a_step_squared():
    # Level −10 dBFS: signal power 0.05, noise LSB²/12.
    wanted = 10 * np.log10(LSB**2 / 12 / 0.05)
    assert ratio_db(lambda x: LSB * np.round(x / LSB), 1250, -10) == pytest.approx(wanted, abs=1.0)


def test_float32_samples_alone_alias_at_minus_150_db():
    assert ratio_db(lambda x: x.astype(np.float32), 5000) == pytest.approx(-150, abs=6)


@given(st.floats(-0.5, 0.5))
@settings(max_examples=10, deadline=None)
def test_dc_is_no_alias(offset):
    assert ratio_db(lambda x: x + offset, 1250) < -280


@pytest.mark.parametrize("rate_hz", [8000, *RATES_HZ, 192_000])
def test_the_window_is_a_prime_just_below_a_quarter_of_a_second(rate_hz):
    samples = probes.aliasing_window_samples(rate_hz)
    assert 0.99 * rate_hz / 4 < samples <= rate_hz / 4
    assert all(samples % divisor for divisor in range(2, samples))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_no_early_alias_lands_on_a_harmonic_or_on_dc(rate_hz):
    samples = probes.aliasing_window_samples(rate_hz)
    for frequency_hz in probes.ALIASING_FREQUENCIES_HZ:
        fundamental = round(frequency_hz * samples / rate_hz)
        true_harmonics = (samples - 1) // 2 // fundamental
        folded = fundamental * np.arange(1, samples - true_harmonics) % samples
        bins = np.minimum(folded, samples - folded)
        assert not set(bins[true_harmonics:].tolist()) & {0, *bins[:true_harmonics].tolist()}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_sine_has_the_frequency_and_the_peak_that_were_asked_for(rate_hz):
    for frequency_hz in probes.ALIASING_FREQUENCIES_HZ:
        probe = probes.probe_aliasing(lambda x: x, rate_hz, frequency_hz, -10)
        loudest = int(np.argmax(probe.spectrum_dbfs))
        assert probe.bins_hz[loudest] == pytest.approx(frequency_hz, abs=3)
        assert probe.spectrum_dbfs[loudest] == pytest.approx(-10, abs=1e-9)
        assert probe.is_harmonic[loudest] and probe.bins_hz[-1] < rate_hz / 2


def test_figures_have_one_key_per_probe_and_the_worst_of_them():
    figures = probes.aliasing_figures(probes.probe_all_aliasing(clip, RATE_HZ))
    assert list(figures)[:4] == ["aliasing_worst_db", "aliasing_db_1250_hz_minus_20_dbfs",
                                 "aliasing_db_1250_hz_minus_10_dbfs", "aliasing_db_1250_hz_0_dbfs"]
    assert len(figures) == 10
    assert figures["aliasing_worst_db"] == figures["aliasing_db_5000_hz_0_dbfs"] == ratio_db(clip, 5000)


def test_sines_above_nyquist_and_silent_models_have_no_figure():
    slow = probes.aliasing_figures(probes.probe_all_aliasing(clip, 8000))
    assert [name for name, value in slow.items() if value is None] == [
        f"aliasing_db_5000_hz_{level}_dbfs" for level in ("minus_20", "minus_10", "0")]
    silent = probes.aliasing_figures(probes.probe_all_aliasing(np.zeros_like, RATE_HZ))
    assert set(silent.values()) == {None}


def test_a_curve_through_zero_is_silent_in_silence():
    assert probes.probe_silence(clip, RATE_HZ) == probes.SilenceProbe(-300.0, -300.0, False)


def test_dc_in_silence_is_no_noise():
    probe = probes.probe_silence(lambda x: clip(x) - 0.01, RATE_HZ)
    assert probe.dc_dbfs == pytest.approx(-40.0) and probe.noise_floor_dbfs < -290 and not probe.limit_cycle


def integer_recursion(rounding):
    """y[n] = Q(−0.9·y[n−1]) + x[n] in steps of 1/128: the filter of Jackson 1969, ringing at half the sample rate."""
    def play(samples):
        played, state = np.empty(len(samples)), 0.0
        for index, code in enumerate(np.round(samples / LSB)):
            state = rounding(-0.9 * state) + code
            played[index] = LSB * state
        return played
    return play


def test_a_rounding_recursion_never_falls_silent_and_is_reported_as_a_limit_cycle():
    # Rounded away from zero, 0.9·5 = 4.5 is 5 again: it alternates between ±5 steps, or ±4 or less if caught lower.
    away = lambda value: np.sign(value) * np.floor(abs(value) + 0.5)  # noqa: E731
    probe = probes.probe_silence(integer_recursion(away), 8000)
    assert probe.limit_cycle
    assert probe.noise_floor_dbfs == pytest.approx(20 * np.log10(5 * LSB), abs=1e-6)
    assert probe.dc_dbfs < -290


def test_the_same_recursion_truncating_towards_zero_falls_silent():
    assert probes.probe_silence(integer_recursion(np.trunc), 8000) == probes.SilenceProbe(-300.0, -300.0, False)


def test_an_output_that_truncates_to_int8_has_half_a_step_of_dc_and_the_noise_of_a_step():
    # Hiss of many steps before a truncating output: uniform error in [−1, 0) steps, mean −1/2, variance 1/12.
    hiss = np.random.default_rng(0).normal(0, 20 * LSB, 3 * RATE_HZ)
    hiss -= np.mean(hiss[-RATE_HZ:])
    probe = probes.probe_silence(lambda x: LSB * np.floor((0 * x + hiss) / LSB) - hiss, RATE_HZ)
    assert probe.noise_floor_dbfs == pytest.approx(20 * np.log10(LSB / np.sqrt(12)), abs=0.05)
    assert probe.dc_dbfs == pytest.approx(20 * np.log10(LSB / 2), abs=0.05)


def test_a_steady_whistle_is_a_limit_cycle_of_its_level():
    whistle = 0.01 * np.sin(2 * np.pi * 1000 * np.arange(3 * RATE_HZ) / RATE_HZ)
    probe = probes.probe_silence(lambda x: x + whistle, RATE_HZ)
    assert probe.limit_cycle and probe.noise_floor_dbfs == pytest.approx(-43.01, abs=0.01)


@pytest.mark.parametrize("tail", [
    lambda t: 0.1 * np.exp(-t / 2.0),  # a slow drift to rest
    lambda t: 0.1 * np.exp(-t / 0.3) * np.sin(2 * np.pi * 400 * t),  # a ringing that dies away
    lambda t: 3e-7 * np.sin(2 * np.pi * 400 * t),  # rounding of float32
], ids=["drift", "ringing", "rounding"])
def test_what_dies_away_or_is_inaudible_is_no_limit_cycle(tail):
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    probe = probes.probe_silence(lambda x: x + tail(time_s), RATE_HZ)
    assert not probe.limit_cycle and probe.noise_floor_dbfs > -150


@pytest.mark.parametrize("rate_hz", [8000, *RATES_HZ])
def test_the_chord_is_one_second_at_full_scale_and_silence_follows_for_two(rate_hz):
    heard = []
    probes.probe_silence(lambda x: heard.append(x) or x, rate_hz)
    (samples,) = heard
    assert len(samples) == 3 * rate_hz
    assert np.max(np.abs(samples[:rate_hz])) == 1.0 and not np.any(samples[rate_hz:])
    assert np.sqrt(np.mean(samples[:rate_hz] ** 2)) > 0.1
