"""Spectral metrics against answers that are known without them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.contract import spectral_metrics
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.metrics import esr
from signals import RATE_HZ, plucks, soft_clip

NOISE = np.random.default_rng(0).normal(0.0, 0.1, RATE_HZ // 2)
BANDS = ("esr_0_2_khz", "esr_2_6_khz", "esr_6_12_khz", "esr_12_24_khz")
IN_BAND_HZ = dict(zip(BANDS, (1000, 4000, 9000, 17_000), strict=True))


def tone(frequency_hz: float, amplitude: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(rate_hz) / rate_hz)


def tones(rate_hz: int = RATE_HZ) -> np.ndarray:
    """A tone in the middle of each band that the rate has, all of one level."""
    return sum(tone(frequency, 0.1, rate_hz) for frequency in IN_BAND_HZ.values() if frequency < rate_hz / 2)


def test_equal_signals_have_no_distance_in_any_figure():
    wet = soft_clip(plucks(0.5))
    assert set(spectral_metrics.all_spectral_metrics(wet, wet, RATE_HZ).values()) == {0.0}


@pytest.mark.parametrize("gain", [0.5, 2.0, 1.1, -1.0])
def test_a_wrong_gain_g_is_1_minus_g_of_convergence_and_ln_g_of_log_magnitude(gain):
    # |Ŝ| = |g|·S in every bin, so ‖S−Ŝ‖/‖S‖ = |1−|g||: 0.5 for −6.02 dB, 1 for +6.02 dB.
    convergence, log_magnitude = spectral_metrics.mr_stft(NOISE, gain * NOISE)
    assert convergence == pytest.approx(abs(1 - abs(gain)), rel=1e-7, abs=1e-12)
    assert log_magnitude == pytest.approx(abs(math.log(abs(gain))), rel=1e-3, abs=1e-12)


def test_a_silent_prediction_has_a_convergence_of_1():
    assert spectral_metrics.mr_stft(NOISE, np.zeros_like(NOISE))[0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("prediction", "wanted"), [
    (lambda dry, wet: dry, (0.4821350856656064, 0.43415157423170897)),
    (lambda dry, wet: 0.5 * wet, (0.49999999972579895, 0.2641347450829217)),
])
def test_the_distance_is_what_auraloss_prints(prediction, wanted):
    # auraloss 0.4.0, MultiResolutionSTFTLoss(w_sc=1, w_log_mag=0) and (0, 1), in float64 but for PyTorch's window.
    dry = plucks(1.0)
    wet = soft_clip(dry)
    assert spectral_metrics.mr_stft(wet, prediction(dry, wet)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("band", BANDS)
def test_an_error_tone_shows_in_its_own_band_and_in_no_other(band):
    target = tones()
    error = np.sin(2 * np.pi * IN_BAND_HZ[band] * np.arange(len(target)) / RATE_HZ + 1.0) * 0.01
    ratios = spectral_metrics.band_esr(target, target + error, RATE_HZ)
    # A tenth of the amplitude of the target's tone in that band.
    assert ratios.pop(band) == pytest.approx(0.01, rel=1e-4)
    assert all(ratio is not None and ratio < 1e-12 for ratio in ratios.values())


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 96_000])
def test_bands_are_in_hertz_at_any_sample_rate_and_absent_above_nyquist(rate_hz):
    target = tones(rate_hz)
    ratios = spectral_metrics.band_esr(target, target + tone(9000, 0.05, rate_hz), rate_hz)
    assert ratios["esr_6_12_khz"] == pytest.approx(0.25, rel=1e-4)
    assert ratios["esr_0_2_khz"] < 1e-12 and ratios["esr_2_6_khz"] < 1e-12
    assert (ratios["esr_12_24_khz"] is None) == (rate_hz == 22_050)


def test_a_band_where_the_target_is_silent_has_no_figure():
    target = tone(1000, 0.1)
    ratios = spectral_metrics.band_esr(target, target + tone(9000, 0.1), RATE_HZ)
    assert ratios == {"esr_0_2_khz": pytest.approx(0.0, abs=1e-12), "esr_2_6_khz": None, "esr_6_12_khz": None,
                      "esr_12_24_khz": None}


@pytest.mark.parametrize(("level_dbfs", "silent"), [(-122.0, True), (-118.0, False)])
def test_a_band_is_silent_below_minus_120_dbfs_rms(level_dbfs, silent):
    target = tone(1000, 0.1) + tone(9000, math.sqrt(2) * 10 ** (level_dbfs / 20))
    assert (spectral_metrics.band_esr(target, 0 * target, RATE_HZ)["esr_6_12_khz"] is None) == silent


@given(st.floats(0.1, 4.0))
@settings(max_examples=10, deadline=None)
def test_a_gain_error_is_the_same_in_every_band_and_in_esr(gain):
    ratios = spectral_metrics.band_esr(NOISE, gain * NOISE, RATE_HZ)
    assert list(ratios.values()) == pytest.approx([esr(NOISE, gain * NOISE)] * 4, rel=1e-9, abs=1e-15)


def test_bands_weighted_with_their_energies_give_back_the_esr():
    target, predicted = tone(1000, 0.3) + tone(9000, 0.1), tone(1000, 0.29) + tone(9000, 0.15)
    ratios = spectral_metrics.band_esr(target, predicted, RATE_HZ)
    pooled = (0.09 * ratios["esr_0_2_khz"] + 0.01 * ratios["esr_6_12_khz"]) / 0.1
    assert pooled == pytest.approx(esr(target, predicted), rel=1e-4)


def test_a_take_of_a_few_samples_is_measured_as_well():
    figures = spectral_metrics.all_spectral_metrics(np.array([0.5, -0.5]), np.array([0.5, -0.4]), RATE_HZ)
    assert all(value is None or 0 <= value < 1 for value in figures.values())


@pytest.mark.parametrize("metric", [spectral_metrics.mr_stft,
                                    lambda y, predicted: spectral_metrics.band_esr(y, predicted, RATE_HZ)])
def test_a_silent_target_or_another_length_is_refused(metric):
    with pytest.raises(RecordingError, match="silent"):
        metric(np.zeros(5000), np.ones(5000))
    with pytest.raises(RecordingError, match="wanted two equal lengths"):
        metric(np.ones(5000), np.ones(4999))
