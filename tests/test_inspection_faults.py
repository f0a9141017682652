"""Every fault that an inspection knows, put into good recordings: found there, and not in the good ones."""

import functools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from neuralpedal.cli.demo.overdrive import Overdrive
from neuralpedal.cli.virtual.guitar import synthesize_guitar
from neuralpedal.train.inspection.effects import find_effects
from neuralpedal.train.inspection.faults import clipped_samples, find_faults
from neuralpedal.train.inspection.hum import find_hum
from neuralpedal.train.inspection.latency import estimate_latency
from neuralpedal.train.inspection.levels import measure_levels
from neuralpedal.train.inspection.noise_floor import measure_noise_floor
from neuralpedal.train.inspection.overlap import repeated_share
from neuralpedal.train.inspection.report import Inspection, inspect_files
from signals import RATE_HZ

Signal = NDArray[np.float32]


@functools.cache
def _take() -> tuple[Signal, Signal]:
    dry = synthesize_guitar(20.0, RATE_HZ, seed=1)
    return dry, Overdrive().process(dry, RATE_HZ)


def _inspect(folder: Path, dry: np.ndarray, wet: np.ndarray, wet_rate_hz: int = RATE_HZ) -> Inspection:
    soundfile.write(folder / "dry.wav", dry, RATE_HZ, subtype="FLOAT")
    soundfile.write(folder / "wet.wav", wet, wet_rate_hz, subtype="FLOAT")
    return inspect_files(folder / "dry.wav", folder / "wet.wav")


def _codes(inspection: Inspection) -> dict[str, str]:
    return {problem.code: problem.severity for problem in inspection.problems}


def _time_s(samples: np.ndarray) -> np.ndarray:
    return np.arange(len(samples)) / RATE_HZ


def test_the_demos_take_has_no_problem_but_its_length(tmp_path: Path) -> None:
    found = _inspect(tmp_path, *_take())
    assert _codes(found) == {"short_take": "info"}
    assert found.usable and found.alignment.is_identity


@pytest.mark.parametrize("take", ["train", "test"])
def test_the_simulated_sd1_has_no_severe_problem(take: str, data_folder: Path) -> None:
    found = inspect_files(data_folder / "sd1" / f"dry_{take}.flac", data_folder / "sd1" / f"wet_{take}.flac")
    assert set(_codes(found).values()) <= {"info"}


def test_the_real_ds1_is_reported_with_its_latency_polarity_and_noise(data_folder: Path) -> None:
    found = inspect_files(data_folder / "ds1" / "dry.flac", data_folder / "ds1" / "wet.flac")
    assert {"latency", "inverted"} <= set(_codes(found)) and found.usable
    figures = found.to_json()
    # Quietest frames of the wet track have an rms of 1e-2 to 3e-2.
    assert -42 < figures["noise_floor_db"] < -30
    assert figures["inverted"] is True and round(figures["latency_samples"]) == -9


def _stereo(wet: Signal) -> np.ndarray:
    return np.stack([np.zeros_like(wet), wet], axis=1)


def _with_nan(wet: Signal) -> np.ndarray:
    return np.where(np.arange(len(wet)) == 100, np.nan, wet)


@pytest.mark.parametrize(("code", "damage", "words"), [
    ("wet_stereo", _stereo, "2 channels of which one sounds"),
    ("wet_not_finite", _with_nan, "1 samples are NaN"),
    ("length_mismatch", lambda wet: wet[: round(len(wet) * 44_100 / 48_000)], "the ratio of 48000 Hz to 44100 Hz"),
    ("length_mismatch", lambda wet: wet[: round(0.7 * len(wet))], "are they the same take"),
    ("wet_silent", np.zeros_like, "check the cable"),
])
def test_what_makes_a_pair_unusable_is_named_as_an_error(code: str, damage, words: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    dry, wet = _take()
    found = _inspect(tmp_path, dry, damage(wet))
    problem = next(problem for problem in found.problems if problem.code == code)
    assert problem.severity == "error" and words in problem.message and "wet.wav" in problem.message
    assert not found.usable


def test_an_inspection_goes_on_after_an_error(tmp_path: Path) -> None:
    dry, wet = _take()
    found = _inspect(tmp_path, dry, _stereo(-np.roll(wet, 40)))
    assert {"wet_stereo", "latency", "inverted"} <= set(_codes(found))
    assert found.to_json()["latency_samples"] == pytest.approx(40.0, abs=0.5)


def test_another_sample_rate_is_an_error_and_a_wrong_header_is_suspected(tmp_path: Path) -> None:
    dry, wet = _take()
    found = _inspect(tmp_path, dry, wet, 44_100)
    assert _codes(found)["sample_rate_mismatch"] == "error"
    assert "one header is probably wrong" in found.problems[0].message
    assert found.to_json()["latency_samples"] is None


def test_a_bypassed_pedal_is_named(tmp_path: Path) -> None:
    dry, _ = _take()
    assert _codes(_inspect(tmp_path, dry, 0.5 * dry))["copy"] == "warning"


def test_clipping_is_runs_at_the_extreme_and_not_a_pedals_own_distortion() -> None:
    dry, wet = _take()
    assert clipped_samples(dry) == 0 and find_faults(wet).problems(Path("wet.wav"), "wet") == []
    hot = np.clip(3.0 * dry / np.max(np.abs(dry)), -1.0, 1.0)
    assert clipped_samples(hot) > 100
    assert "wet_clipped" in [problem.code for problem in find_faults(hot).problems(Path("wet.wav"), "wet")]
    one_peak = np.array([0, 0.5, 1, 1, 0.5, 0], np.float32)
    assert clipped_samples(one_peak) == 0 and clipped_samples(np.repeat(one_peak, 2)) == 4


def test_a_dc_offset_is_measured() -> None:
    faults = find_faults(_take()[1] + np.float32(0.02))
    assert faults.dc_offset == pytest.approx(0.02, abs=1e-3)
    assert [problem.code for problem in faults.problems(Path("wet.wav"), "wet")] == ["wet_dc"]


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_mains_hum_is_found_with_its_frequency_and_level(mains_hz: float) -> None:
    wet = np.concatenate([_take()[1], np.random.default_rng(0).normal(0, 1e-4, 3 * RATE_HZ).astype(np.float32)])
    time = _time_s(wet)
    hum = sum(10 ** (-2.5) / k * np.sin(2 * np.pi * mains_hz * k * time) for k in (1, 2, 3, 4))
    assert find_hum(wet, RATE_HZ).hum_dbfs is None
    found = find_hum((wet + hum).astype(np.float32), RATE_HZ)
    assert found.mains_hz == mains_hz
    assert found.hum_dbfs == pytest.approx(20 * np.log10(np.sqrt(np.mean(np.square(hum)))), abs=1.0)


def test_a_ringing_string_is_no_hum() -> None:
    time = np.arange(6 * RATE_HZ) / RATE_HZ
    string = sum(np.sin(2 * np.pi * 55.0 * k * time) / k for k in range(1, 9)) * 10.0 ** (-2.0 * time)
    assert find_hum((0.2 * string).astype(np.float32), RATE_HZ).hum_dbfs is None


@pytest.mark.parametrize("noise_rms", [1e-3, 1e-2])
def test_the_noise_floor_is_the_noise_that_was_added_and_bounds_the_esr(noise_rms: float) -> None:
    dry, wet = _take()
    noisy = wet + np.random.default_rng(2**20).normal(0, noise_rms, len(wet)).astype(np.float32)
    found = measure_noise_floor(dry, noisy)
    assert found.in_pauses
    assert found.noise_floor_db == pytest.approx(20 * np.log10(noise_rms), abs=1.5)
    assert found.esr_bound == pytest.approx(noise_rms**2 / np.mean(noisy**2), rel=0.4)


def test_hiss_that_the_pedal_only_amplifies_is_no_noise() -> None:
    dry, _ = _take()
    hissing = dry + np.random.default_rng(2**20).normal(0, 1e-4, len(dry)).astype(np.float32)
    wet = Overdrive().process(hissing, RATE_HZ)
    quiet = np.sqrt(np.min(np.mean(wet[: len(wet) // 4800 * 4800].reshape(-1, 4800) ** 2, axis=1)))
    assert measure_noise_floor(hissing, wet).noise_floor_db < 20 * np.log10(quiet) - 20


def test_an_echo_is_found_with_its_delay() -> None:
    dry, wet = _take()
    late = wet.copy()
    late[14_400:] += 0.4 * wet[:-14_400]
    found = find_effects(dry, late, estimate_latency(dry, late, RATE_HZ), RATE_HZ)
    assert found.echo_ms == pytest.approx(300.0, abs=1.0) and found.echo_db == pytest.approx(-8.0, abs=3.0)
    assert [problem.code for problem in found.problems(Path("wet.wav"))] == ["echo"]


def test_reverb_is_found_by_its_tail() -> None:
    from scipy.signal import fftconvolve

    dry, wet = _take()
    tail = np.random.default_rng(3).normal(0, 0.012, 36_000) * np.exp(-np.arange(36_000) / 9600)
    tail[0] = 1.0
    room = fftconvolve(wet, tail)[: len(wet)].astype(np.float32)
    found = find_effects(dry, room, estimate_latency(dry, room, RATE_HZ), RATE_HZ)
    assert [problem.code for problem in found.problems(Path("wet.wav"))] == ["reverb"]


def _tremolo(wet: Signal) -> Signal:
    return (wet * (0.75 + 0.25 * np.sin(2 * np.pi * 5.0 * _time_s(wet)))).astype(np.float32)


def _flanger(wet: Signal) -> Signal:
    places = np.arange(len(wet)) - 60 - 50 * np.sin(2 * np.pi * 0.5 * _time_s(wet))
    return (0.5 * wet + 0.5 * np.interp(places, np.arange(len(wet)), wet)).astype(np.float32)


@pytest.mark.parametrize(("effect", "rate_hz"), [(_tremolo, 5.0), (_flanger, 0.5)])
def test_an_effect_with_a_clock_of_its_own_is_found_with_its_rate(effect, rate_hz: float) -> None:  # type: ignore[no-untyped-def]
    dry, wet = _take()
    moving = effect(wet)
    found = find_effects(dry, moving, estimate_latency(dry, moving, RATE_HZ), RATE_HZ)
    assert found.modulated and found.rhythm_hz == pytest.approx(rate_hz, abs=0.15)
    assert "time_varying" in [problem.code for problem in found.problems(Path("wet.wav"))]


@pytest.mark.parametrize(("code", "loudness_db"), [
    ("too_little_loud", np.r_[0.0, np.full(99, -20.0)]),
    ("too_little_quiet", np.r_[np.zeros(60), np.full(40, -90.0)]),
    ("mostly_silence", np.r_[np.zeros(20), np.full(10, -30.0), np.full(70, -90.0)]),
    ("dry_level_low", np.r_[np.full(50, -50.0), np.full(50, -80.0)]),
])
def test_lopsided_playing_is_named(code: str, loudness_db: np.ndarray) -> None:
    gain = np.repeat(10.0 ** (loudness_db / 20.0), RATE_HZ)[::10]
    noise = np.random.default_rng(0).normal(0, 0.1, len(gain))
    levels = measure_levels((noise * gain).astype(np.float32), RATE_HZ // 10)
    assert code in [problem.code for problem in levels.problems(Path("dry.wav"))]


def test_a_loop_in_the_validation_part_is_found_and_new_playing_is_not() -> None:
    dry, _ = _take()
    boundary = len(dry) - 2 * RATE_HZ
    assert repeated_share(dry, boundary, RATE_HZ) == 0.0
    looped = np.concatenate([dry[:boundary], dry[12_345 : 12_345 + 2 * RATE_HZ]])
    assert repeated_share(looped, boundary, RATE_HZ) > 0.8
