"""A dry and a wet track: when they are one take, and what the user is told when they hardly are."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.audio import file_digest, write_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.pair import RecordingPair, read_pair
from signals import RATE_HZ, plucks, soft_clip


@pytest.fixture(scope="module")
def dry() -> np.ndarray:
    return plucks(0.5)


@pytest.fixture(scope="module")
def wet(dry) -> np.ndarray:
    return soft_clip(dry)


def write_pair(folder: Path, dry: np.ndarray, wet: np.ndarray, wet_rate_hz: int = RATE_HZ) -> tuple[Path, Path]:
    write_recording(folder / "dry.wav", dry, RATE_HZ)
    write_recording(folder / "wet.wav", wet, wet_rate_hz)
    return folder / "dry.wav", folder / "wet.wav"


def read(folder: Path, dry: np.ndarray, wet: np.ndarray) -> RecordingPair:
    return read_pair(*write_pair(folder, dry, wet))


def test_a_good_pair_is_returned_whole_and_without_warnings(tmp_path, dry, wet):
    pair = read(tmp_path, dry, wet)
    np.testing.assert_array_equal(pair.dry.samples, dry)
    np.testing.assert_array_equal(pair.wet.samples, wet)
    assert pair.sample_rate_hz == RATE_HZ
    assert pair.warnings == ()


def test_the_digests_are_those_of_the_two_files(tmp_path, dry, wet):
    dry_path, wet_path = write_pair(tmp_path, dry, wet)
    assert read_pair(dry_path, wet_path).digests() == {"dry_sha256": file_digest(dry_path),
                                                       "wet_sha256": file_digest(wet_path)}


def test_different_rates_are_refused_with_both_rates(tmp_path, dry, wet):
    paths = write_pair(tmp_path, dry, wet, wet_rate_hz=44_100)
    with pytest.raises(RecordingError, match=r"wet\.wav: 44100 Hz, but .*dry\.wav has 48000 Hz"):
        read_pair(*paths)


@pytest.mark.parametrize("shorter", ["dry", "wet"])
def test_lengths_more_than_one_percent_apart_are_refused(tmp_path, dry, wet, shorter):
    kept = len(dry) - len(dry) // 100 - 1
    tracks = {"dry": dry, "wet": wet}
    tracks[shorter] = tracks[shorter][:kept]
    with pytest.raises(RecordingError, match=r"wet\.wav: .*more than 1 % apart"):
        read(tmp_path, **tracks)


@pytest.mark.parametrize(("shorter", "longer"), [("dry", "wet"), ("wet", "dry")])
@pytest.mark.parametrize("surplus", [1, 240])
def test_lengths_within_one_percent_are_trimmed_at_the_end_with_a_warning(tmp_path, dry, wet, shorter, longer, surplus):
    tracks = {"dry": dry, "wet": wet}
    kept = len(dry) - surplus
    tracks[shorter] = tracks[shorter][:kept]
    pair = read(tmp_path, **tracks)
    np.testing.assert_array_equal(pair.dry.samples, dry[:kept])
    np.testing.assert_array_equal(pair.wet.samples, wet[:kept])
    [warning] = pair.warnings
    assert f"{longer}.wav: the last {surplus} samples" in warning
    assert f"{shorter}.wav" in warning


@pytest.mark.parametrize("silent", ["dry", "wet"])
@pytest.mark.parametrize("hum", [0.0, 5e-6])
def test_a_silent_track_is_refused_by_name(tmp_path, dry, wet, silent, hum):
    tracks = {"dry": dry, "wet": wet, silent: np.full(len(dry), hum, np.float32)}
    with pytest.raises(RecordingError, match=rf"{silent}\.wav: silent"):
        read(tmp_path, **tracks)


def test_a_track_that_is_silent_once_trimmed_is_refused(tmp_path, wet):
    click = np.zeros(len(wet) + 50, np.float32)
    click[-10:] = 0.9
    with pytest.raises(RecordingError, match=r"dry\.wav: silent"):
        read(tmp_path, click, wet)


@pytest.mark.parametrize("gain", [1.0, 0.25, 1.9, -1.0])
def test_a_copy_of_the_dry_track_is_warned_about_at_any_level_and_polarity(tmp_path, dry, gain):
    [warning] = read(tmp_path, dry, dry * np.float32(gain)).warnings
    assert "wet.wav: a copy of" in warning
    assert "bypassed" in warning


@pytest.mark.parametrize(("noise_db", "is_copy"), [(-80.0, False), (-120.0, True)])
def test_a_copy_is_one_to_minus_100_db(tmp_path, dry, noise_db, is_copy):
    noise = np.random.default_rng(0).normal(0.0, 1.0, len(dry)) * np.sqrt(np.mean(dry**2)) * 10 ** (noise_db / 20)
    assert bool(read(tmp_path, dry, (dry + noise).astype(np.float32)).warnings) is is_copy


@pytest.mark.parametrize("drive", [0.05, 1.0, 20.0])
def test_a_soft_clipped_track_is_not_taken_for_a_copy(tmp_path, dry, drive):
    assert read(tmp_path, dry, (np.tanh(drive * dry) / drive).astype(np.float32)).warnings == ()


def test_a_trimmed_copy_gets_both_warnings(tmp_path, dry):
    assert len(read(tmp_path, dry, dry[:-10]).warnings) == 2
