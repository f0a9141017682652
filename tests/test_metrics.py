"""Metrics against answers that are known without them."""

import math

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuralpedal.contract import metrics
from neuralpedal.contract.errors import RecordingError
from signals import plucks, soft_clip

# One whole number of periods: means and energies are exact to rounding.
SINE = np.sin(2 * np.pi * 5 * np.arange(1000) / 1000)
DIVIDING = [metrics.esr, metrics.mae_normalized, metrics.r2, metrics.dc, metrics.peak_match_db,
            metrics.level_match_db, metrics.all_metrics]

signals = arrays.arrays(np.float64, st.shared(st.integers(2, 50), key="length"), elements=st.floats(-1.0, 1.0))


@pytest.fixture(scope="module")
def playing() -> np.ndarray:
    return plucks(0.25)


def test_esr_is_0_for_equal_signals(playing):
    assert metrics.esr(playing, playing) == 0.0


def test_esr_is_1_for_silence(playing):
    assert metrics.esr(playing, np.zeros_like(playing)) == 1.0


def test_esr_is_4_for_inverted_polarity(playing):
    assert metrics.esr(playing, -playing) == pytest.approx(4.0, rel=1e-12)


def test_esr_is_0_01_for_an_error_20_db_below_the_target():
    error = np.cos(2 * np.pi * 7 * np.arange(1000) / 1000) * 10 ** (-20 / 20)
    assert metrics.esr(SINE, SINE + error) == pytest.approx(0.01, rel=1e-9)


def test_esr_divides_by_the_target_and_not_by_the_prediction():
    assert metrics.esr(2 * SINE, SINE) == pytest.approx(0.25)
    assert metrics.esr(SINE, 2 * SINE) == pytest.approx(1.0)


def test_esr_sums_float32_recordings_in_float64():
    target = plucks(1.0)
    prediction = target * np.float32(1.001)
    pairs = [(float(y), float(predicted)) for y, predicted in zip(target, prediction, strict=True)]
    wanted = math.fsum((y - predicted) ** 2 for y, predicted in pairs) / math.fsum(y**2 for y, _ in pairs)
    assert metrics.esr(target, prediction) == pytest.approx(wanted, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("offset", [-0.2, 0.05])
def test_dc_of_a_known_offset_is_its_square_over_the_mean_square(offset):
    assert metrics.dc(SINE, SINE + offset) == pytest.approx(offset**2 / 0.5, rel=1e-9)


def test_dc_is_blind_to_an_error_without_mean():
    assert metrics.dc(SINE, 3 * SINE) == pytest.approx(0.0, abs=1e-20)


def test_mae_is_the_mean_distance_in_full_scale_units():
    assert metrics.mae(np.array([0.0, 0.5, -0.5]), np.array([0.3, 0.5, -0.8])) == pytest.approx(0.2)


def test_mae_normalized_divides_by_the_rms_of_the_target():
    assert metrics.mae_normalized(SINE, SINE + 0.1) == pytest.approx(0.1 / np.sqrt(0.5))


@given(signals, signals, st.floats(1e-3, 1e3))
def test_mae_normalized_does_not_depend_on_the_level_of_the_take(target, error, gain):
    target[0] = 0.5  # not silent
    whole = metrics.mae_normalized(target, target + error)
    assert metrics.mae_normalized(gain * target, gain * (target + error)) == pytest.approx(whole, rel=1e-6, abs=1e-12)


def test_r2_is_1_for_equal_and_0_for_the_mean(playing):
    target = playing.astype(np.float64) + 0.3
    assert metrics.r2(target, target) == 1.0
    assert metrics.r2(target, np.full_like(target, np.mean(target))) == pytest.approx(0.0, abs=1e-12)


def test_r2_is_below_0_for_worse_than_the_mean():
    assert metrics.r2(SINE, -SINE) == pytest.approx(-3.0)


@pytest.mark.parametrize("gain", [2.0, -2.0])
def test_level_and_peak_of_a_doubled_signal_are_6_02_db_hotter(gain):
    assert metrics.level_match_db(SINE, gain * SINE) == pytest.approx(6.0206, abs=1e-4)
    assert metrics.peak_match_db(SINE, gain * SINE) == pytest.approx(6.0206, abs=1e-4)


def test_level_and_peak_of_a_quieter_prediction_are_negative():
    assert metrics.level_match_db(SINE, 0.1 * SINE) == pytest.approx(-20.0)
    assert metrics.peak_match_db(SINE, 0.1 * SINE) == pytest.approx(-20.0)


def test_a_silent_prediction_is_minus_300_db_and_still_a_number():
    assert metrics.level_match_db(SINE, 0 * SINE) == pytest.approx(-300.0)
    assert metrics.peak_match_db(SINE, 0 * SINE) == pytest.approx(-300.0)


@given(signals, st.floats(-1.0, 1.0))
def test_pre_emphasis_is_the_filter_that_scipy_computes(signal, coefficient):
    wanted = scipy.signal.lfilter([1.0, -coefficient], [1.0], signal)
    np.testing.assert_allclose(metrics.pre_emphasis(signal, coefficient), wanted, rtol=0, atol=1e-12)


def test_pre_emphasis_uses_0_85_and_leaves_its_argument_alone(playing):
    kept = playing.copy()
    filtered = metrics.pre_emphasis(playing)
    np.testing.assert_allclose(filtered, scipy.signal.lfilter([1.0, -0.85], [1.0], playing.astype(np.float64)))
    np.testing.assert_array_equal(playing, kept)


def test_all_metrics_holds_each_figure_under_its_own_name(playing):
    wet = soft_clip(playing)
    prediction = 0.9 * wet + 0.01
    figures = metrics.all_metrics(wet, prediction)
    emphasized = metrics.esr(metrics.pre_emphasis(wet), metrics.pre_emphasis(prediction))
    assert figures == {"esr_pre_emphasis": emphasized, **{
        name: getattr(metrics, name)(wet, prediction)
        for name in ("esr", "mae", "mae_normalized", "r2", "dc", "peak_match_db", "level_match_db")}}
    assert len(set(figures.values())) == len(figures)


@pytest.mark.parametrize("metric", DIVIDING)
def test_a_silent_target_is_refused(metric):
    with pytest.raises(RecordingError, match="silent"):
        metric(np.zeros(10), np.ones(10))


@pytest.mark.parametrize("metric", [*DIVIDING, metrics.mae])
@pytest.mark.parametrize(("target", "prediction"), [((10,), (9,)), ((10,), (10, 1)), ((10, 1), (10, 1)), ((10,), (1,))])
def test_shapes_that_differ_or_are_not_flat_are_refused(metric, target, prediction):
    with pytest.raises(RecordingError, match="wanted two equal lengths"):
        metric(np.ones(target), np.ones(prediction))
