"""Latency, polarity and drift are found as they were made, and a pedal's own phase is not taken for latency."""

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from misaligned import misalign
from neuralpedal.cli.demo.overdrive import Overdrive
from neuralpedal.cli.virtual.guitar import synthesize_guitar
from neuralpedal.contract.pair import read_pair
from neuralpedal.train.inspection.clock_line import ClockLine, sharpen_line, vote_line
from neuralpedal.train.inspection.correction import choose_alignment, corrections, find_alignment
from neuralpedal.train.inspection.correlation import Correlations
from neuralpedal.train.inspection.latency import SHARPER, LatencyEstimate, estimate_latency
from neuralpedal.train.inspection.whitening import innovations
from signals import RATE_HZ, plucks, soft_clip

HALF_A_SAMPLE = 0.5

Tracks = tuple[NDArray[np.float32], NDArray[np.float32]]


@functools.cache
def _take(pedal: str) -> Tracks:
    if pedal == "soft clip":
        dry = plucks(6.0)
        return dry, soft_clip(dry)
    dry = synthesize_guitar(12.0, RATE_HZ, seed=3)
    knobs = {"clean": (0.0, 1.0), "dull": (0.0, 0.0), "default": (0.6, 0.5), "fierce": (1.0, 1.0)}[pedal]
    return dry, Overdrive(drive=knobs[0], tone=knobs[1]).process(dry, RATE_HZ)


def _estimate(dry: NDArray[np.float32], wet: NDArray[np.float32]) -> LatencyEstimate:
    return estimate_latency(dry, wet, RATE_HZ)


@pytest.mark.parametrize("pedal", ["soft clip", "clean", "dull", "default", "fierce"])
def test_a_pedals_own_phase_is_not_taken_for_latency(pedal: str) -> None:
    found = _estimate(*_take(pedal))
    assert abs(found.latency_samples) < HALF_A_SAMPLE and not found.inverted and found.drift_ppm == 0.0
    assert found.confidence > 0.8
    assert choose_alignment(found).is_identity


@settings(max_examples=12, deadline=None, derandomize=True)
@given(latency=st.floats(-2000, 2000), inverted=st.booleans(), noise_rms=st.sampled_from([0.0, 1e-4, 1e-3]),
       pedal=st.sampled_from(["soft clip", "clean", "default"]))
@example(latency=-2000.0, inverted=True, noise_rms=0.0, pedal="default")
@example(latency=2000.0, inverted=False, noise_rms=1e-3, pedal="soft clip")
@example(latency=0.5, inverted=True, noise_rms=0.0, pedal="clean")
def test_random_delays_and_inversions_are_recovered_within_half_a_sample(
    latency: float, inverted: bool, noise_rms: float, pedal: str
) -> None:
    dry, wet = _take(pedal)
    found = _estimate(dry, misalign(wet, latency, inverted=inverted, noise_rms=noise_rms))
    assert abs(found.latency_samples - latency) < HALF_A_SAMPLE
    assert found.inverted == inverted and found.drift_ppm == 0.0


@settings(max_examples=6, deadline=None, derandomize=True)
@given(latency=st.floats(-2000, 2000), drift_ppm=st.sampled_from([-50.0, 50.0]), inverted=st.booleans(),
       pedal=st.sampled_from(["soft clip", "clean"]))
@example(latency=0.0, drift_ppm=50.0, inverted=True, pedal="clean")
def test_a_drift_of_50_ppm_is_recovered_within_half_a_sample_at_both_ends_of_the_take(
    latency: float, drift_ppm: float, inverted: bool, pedal: str
) -> None:
    dry, wet = _take(pedal)
    found = _estimate(dry, misalign(wet, latency, drift_ppm, inverted))
    at_end = found.latency_samples - latency + (found.drift_ppm - drift_ppm) * 1e-6 * len(dry)
    assert abs(found.latency_samples - latency) < HALF_A_SAMPLE and abs(at_end) < HALF_A_SAMPLE
    assert found.inverted == inverted


def test_correcting_what_was_found_leaves_nothing_to_correct() -> None:
    dry, wet = _take("clean")
    bent = misalign(wet, 123.4, 50.0, inverted=True)
    alignment = choose_alignment(_estimate(dry, bent))
    read = alignment.apply(_pair(dry, bent))
    left = _estimate(read.dry.samples, read.wet.samples)
    assert abs(left.latency_samples) < HALF_A_SAMPLE and not left.inverted and left.drift_ppm == 0.0
    assert [said.split("; ")[1] for said in corrections(alignment, "wet.wav")] == ["moved", "turned back", "resampled"]


def _pair(dry: NDArray[np.float32], wet: NDArray[np.float32]):  # type: ignore[no-untyped-def]
    from neuralpedal.contract.audio import Recording
    from neuralpedal.contract.pair import RecordingPair

    return RecordingPair(Recording(dry, RATE_HZ, Path("dry.wav")), Recording(wet, RATE_HZ, Path("wet.wav")))


def test_tracks_that_have_nothing_in_common_are_not_corrected() -> None:
    dry, wet = plucks(6.0, seed=1), soft_clip(plucks(6.0, seed=2))[::-1].copy()
    found = _estimate(dry, wet)
    assert found.confidence < 0.5
    assert choose_alignment(found).is_identity


def test_a_pair_too_short_to_tell_is_left_alone() -> None:
    dry = plucks(0.5)
    assert find_alignment(_pair(dry, np.roll(soft_clip(dry), 100))).is_identity


def test_the_real_ds1_comes_out_inverted_and_nine_samples_early(data_folder: Path) -> None:
    pair = read_pair(data_folder / "ds1" / "dry.flac", data_folder / "ds1" / "wet.flac")
    found = _estimate(pair.dry.samples, pair.wet.samples)
    assert found.inverted and abs(found.latency_samples + 9.0) < HALF_A_SAMPLE and found.drift_ppm == 0.0
    alignment = choose_alignment(found)
    assert (alignment.latency_samples, alignment.inverted, alignment.drift_ppm) == (-9.0, True, 0.0)


@pytest.mark.parametrize("take", ["train", "test"])
def test_the_simulated_sd1_is_found_aligned(take: str, data_folder: Path) -> None:
    pair = read_pair(data_folder / "sd1" / f"dry_{take}.flac", data_folder / "sd1" / f"wet_{take}.flac")
    found = _estimate(pair.dry.samples, pair.wet.samples)
    assert abs(found.latency_samples) < HALF_A_SAMPLE and found.confidence > 0.8
    assert choose_alignment(found).is_identity


def test_innovations_of_an_autoregressive_track_are_what_drove_it() -> None:
    from scipy.signal import lfilter

    drive = np.random.default_rng(0).normal(0, 1, 50_000)
    track = lfilter([1.0], [1.0, -1.6, 0.8], drive)
    found = innovations(track)[5000:-5000]
    assert np.corrcoef(found, drive[5000:-5000])[0, 1] > 0.98


def test_silence_has_no_innovations() -> None:
    assert not np.any(innovations(np.zeros(20_000)))


def test_windows_that_see_nothing_do_not_vote_the_line_down() -> None:
    times = np.arange(20.0) * 1e5
    lags = 100.0 + 50e-6 * times
    lags[::3] = np.random.default_rng(1).uniform(-20_000, 20_000, len(lags[::3]))
    line = vote_line(times, lags, np.ones(20), tolerance_samples=2.0)
    assert line.drift_ppm == pytest.approx(50.0, abs=0.1)
    assert line.lags(np.zeros(1))[0] == pytest.approx(100.0, abs=0.1)
    assert np.count_nonzero(line.agreeing) == 13


@pytest.mark.parametrize("drift_ppm", [0.0, 50.0, -50.0])
def test_a_drift_makes_the_average_sharper_where_there_is_one(drift_ppm: float) -> None:
    centres = np.arange(12.0) * 24_000
    columns = np.arange(-500, 501) - (centres * drift_ppm * 1e-6)[:, np.newaxis]
    noise = np.random.default_rng(2).normal(0.0, 0.02, columns.shape)
    found = Correlations(np.exp(-0.5 * (columns / 2.0) ** 2) + noise, centres, 500)
    level = ClockLine(0.0, 0.0, 0.0, np.ones(12, np.bool_))
    line = sharpen_line(found, level, np.ones(12))
    assert line.drift_ppm == pytest.approx(drift_ppm, abs=2.0)
    assert (line.sharpness > SHARPER) == bool(drift_ppm) and line.sharpness > 0.99
