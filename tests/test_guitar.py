"""The computed guitar: in tune, repeatable, and covering what a network must hear."""

import numpy as np
import pytest

from neuralpedal.cli.virtual.guitar import HISS_DBFS, PALM_MUTE_T60_S, PEAK, pluck_string, synthesize_guitar
from neuralpedal.contract.errors import SpecError

RATE_HZ = 48000


@pytest.fixture(scope="module")
def playing() -> np.ndarray:
    return synthesize_guitar(20.0, RATE_HZ, seed=1)


def window_levels_dbfs(signal: np.ndarray, window_s: float = 0.1) -> np.ndarray:
    size = round(window_s * RATE_HZ)
    windows = signal[: len(signal) // size * size].astype(np.float64).reshape(-1, size)
    return 10 * np.log10(np.mean(windows**2, axis=1))


def fundamental_hz(signal: np.ndarray, near_hz: float, rate_hz: int) -> float:
    """Frequency of the partial nearest to ``near_hz``, by a parabola over the peak of a zero-padded spectrum."""
    spectrum = np.log(np.abs(np.fft.rfft(signal * np.blackman(len(signal)), 8 * len(signal))) + 1e-30)
    bin_hz = rate_hz / (8 * len(signal))
    low, high = int(near_hz * 0.95 / bin_hz), int(near_hz * 1.05 / bin_hz)
    peak = low + int(np.argmax(spectrum[low:high]))
    left, centre, right = spectrum[peak - 1 : peak + 2]
    return (peak + 0.5 * (left - right) / (left - 2 * centre + right)) * bin_hz


def treble_db(signal: np.ndarray) -> float:
    """Power above 2 kHz against all of it."""
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal)))) ** 2
    return float(10 * np.log10(power[2000 * len(signal) // RATE_HZ :].sum() / power.sum()))


def test_the_same_seed_gives_the_same_samples(playing):
    np.testing.assert_array_equal(synthesize_guitar(20.0, RATE_HZ, seed=1), playing)


def test_another_seed_gives_another_performance(playing):
    other = synthesize_guitar(20.0, RATE_HZ, seed=2).astype(np.float64)
    overlap = np.dot(other, playing) / np.sqrt(np.dot(other, other) * np.dot(playing, playing))
    assert abs(overlap) < 0.5


@pytest.mark.parametrize(("seconds", "rate_hz"), [(1.0, 48000), (2.5, 44100), (1.3, 16000), (1.0, 96000)])
def test_the_track_has_the_length_and_peak_promised_at_any_rate(seconds, rate_hz):
    track = synthesize_guitar(seconds, rate_hz, seed=3)
    assert track.shape == (round(seconds * rate_hz),)
    assert track.dtype == np.float32
    assert np.all(np.isfinite(track))
    assert np.max(np.abs(track)) == pytest.approx(PEAK, abs=1e-3)


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_twenty_seconds_hold_loud_soft_and_silent_passages(seed):
    levels = window_levels_dbfs(synthesize_guitar(20.0, RATE_HZ, seed))
    assert np.mean(levels > -15) > 0.01
    assert np.mean((levels > -40) & (levels < -25)) > 0.05
    assert np.mean(levels < -40) > 0.05


def test_rests_fall_to_the_hiss_and_no_further(playing):
    assert window_levels_dbfs(playing).min() == pytest.approx(HISS_DBFS, abs=1.0)


def test_the_last_quarter_is_played_as_the_rest_is():
    levels = window_levels_dbfs(synthesize_guitar(40.0, RATE_HZ, seed=0))
    whole, last = np.percentile(levels, [25, 75]), np.percentile(levels[-100:], [25, 75])
    assert np.all(np.abs(whole - last) < 8.0)


def test_there_is_no_dc_and_little_above_ten_kilohertz(playing):
    power = np.abs(np.fft.rfft(playing.astype(np.float64))) ** 2
    share = len(playing) // RATE_HZ
    assert abs(np.mean(playing)) < 1e-4
    assert power[10000 * share :].sum() < 1e-5 * power.sum()


@pytest.mark.parametrize("rate_hz", [44100, 48000])
@pytest.mark.parametrize("wanted_hz", [82.407, 110.0, 329.628, 777.77, 1046.502])
def test_a_note_is_within_a_cent_of_its_pitch(wanted_hz, rate_hz):
    note = pluck_string(wanted_hz, 1.5, rate_hz, np.random.default_rng(0))
    cents = 1200 * np.log2(fundamental_hz(note[rate_hz // 10 :], wanted_hz, rate_hz) / wanted_hz)
    assert abs(cents) < 1.0


def test_a_note_falls_by_60_db_in_the_time_asked_for():
    note = pluck_string(220.0, 2.0, RATE_HZ, np.random.default_rng(0), t60_s=(2.0, 0.2))
    levels = window_levels_dbfs(note)
    fall_db_per_s = (levels[9] - levels[18]) / 0.9  # late, when only the lowest partials are left
    assert 60.0 / fall_db_per_s == pytest.approx(2.0, rel=0.1)


def test_a_palm_mute_is_shorter_and_duller_than_an_open_string():
    opened, muted = (pluck_string(110.0, 1.0, RATE_HZ, np.random.default_rng(0), **manner)
                     for manner in ({}, {"t60_s": PALM_MUTE_T60_S}))
    assert window_levels_dbfs(muted)[5] < window_levels_dbfs(opened)[5] - 30
    assert treble_db(muted[2400:7200]) < treble_db(opened[2400:7200]) - 10


def test_a_harder_stroke_is_louder_and_brighter():
    soft, hard = (pluck_string(196.0, 0.5, RATE_HZ, np.random.default_rng(0), velocity) for velocity in (0.05, 1.0))
    assert np.max(np.abs(hard)) > 15 * np.max(np.abs(soft))
    assert treble_db(hard) > treble_db(soft) + 3


@pytest.mark.parametrize(("seconds", "rate_hz"), [(0.5, 48000), (float("nan"), 48000), (2.0, 8000)])
def test_an_impossible_track_is_refused(seconds, rate_hz):
    with pytest.raises(SpecError, match="guitar"):
        synthesize_guitar(seconds, rate_hz, seed=0)
