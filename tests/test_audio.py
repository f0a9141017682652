"""Recordings in and out: what is read exactly, what is refused, and that nothing half-written is left."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from neuralpedal.contract.audio import file_digest, is_silent, read_recording, write_recording
from neuralpedal.contract.errors import OutputError, RecordingError
from signals import RATE_HZ, plucks


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return plucks(0.25)


def content(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 192_000])
def test_a_float_wav_comes_back_bit_for_bit(tmp_path, samples, rate_hz):
    write_recording(tmp_path / "take.wav", samples, rate_hz)
    recording = read_recording(tmp_path / "take.wav")
    assert recording.samples.tobytes() == samples.tobytes()
    assert recording.samples.dtype == np.float32
    assert recording.sample_rate_hz == rate_hz
    assert recording.path == tmp_path / "take.wav"
    assert recording.seconds == len(samples) / rate_hz


def test_a_float_wav_keeps_what_lies_above_full_scale(tmp_path):
    hot = np.array([3.0, -2.5, 1e-20], np.float32)
    write_recording(tmp_path / "hot.wav", hot, RATE_HZ)
    np.testing.assert_array_equal(read_recording(tmp_path / "hot.wav").samples, hot)


def test_a_flac_comes_back_within_half_a_step_of_24_bits(tmp_path, samples):
    write_recording(tmp_path / "take.FLAC", samples, RATE_HZ)
    recording = read_recording(tmp_path / "take.FLAC")
    assert soundfile.info(tmp_path / "take.FLAC").subtype == "PCM_24"
    assert np.max(np.abs(recording.samples - samples)) <= 2.0**-24 + 2.0**-26


@pytest.mark.parametrize(("suffix", "subtype", "step"), [("wav", "PCM_16", 2.0**-15), ("wav", "PCM_24", 2.0**-23),
                                                         ("flac", "PCM_16", 2.0**-15)])
def test_integer_recordings_are_read_at_full_scale_one(tmp_path, samples, suffix, subtype, step):
    path = tmp_path / f"take.{suffix}"
    soundfile.write(path, samples, RATE_HZ, subtype=subtype)
    assert np.max(np.abs(read_recording(path).samples - samples)) <= step


def test_the_digest_is_that_of_the_bytes_on_the_disk(tmp_path):
    (tmp_path / "file.bin").write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "file.bin") == wanted


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(RecordingError, match=r"take\.wav: no such file"):
        read_recording(tmp_path / "take.wav")


def test_a_folder_is_refused_by_name(tmp_path):
    with pytest.raises(RecordingError, match=f"{tmp_path.name}: is a folder"):
        read_recording(tmp_path)


@pytest.mark.parametrize("name", ["notes.wav", "notes.flac", "notes.txt", "notes.raw", "notes"])
@pytest.mark.parametrize("data", [b"", b"R", b"Dear diary, today I bought a fuzz pedal. " * 20])
def test_what_is_not_audio_is_refused_by_name_whatever_its_suffix(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RecordingError, match=f"{name}: not audio"):
        read_recording(tmp_path / name)


def test_a_wav_header_cut_anywhere_is_refused_by_name(tmp_path, samples):
    write_recording(tmp_path / "take.wav", samples, RATE_HZ)
    data = (tmp_path / "take.wav").read_bytes()
    header_bytes = data.index(b"data") + 8
    for length in range(header_bytes + 1):
        (tmp_path / "cut.wav").write_bytes(data[:length])
        with pytest.raises(RecordingError, match=r"cut\.wav: "):
            read_recording(tmp_path / "cut.wav")


def test_a_flac_cut_anywhere_is_refused_by_name(tmp_path, samples):
    write_recording(tmp_path / "take.flac", samples, RATE_HZ)
    data = (tmp_path / "take.flac").read_bytes()
    for length in [*range(0, 200, 3), *range(200, len(data), 997), len(data) - 1]:
        (tmp_path / "cut.flac").write_bytes(data[:length])
        with pytest.raises(RecordingError, match=r"cut\.flac: "):
            read_recording(tmp_path / "cut.flac")


def test_stereo_is_refused_with_the_number_of_channels(tmp_path, samples):
    soundfile.write(tmp_path / "both.wav", np.stack([samples, samples], axis=1), RATE_HZ)
    with pytest.raises(RecordingError, match=r"both\.wav: 2 channels, wanted 1"):
        read_recording(tmp_path / "both.wav")


def test_an_empty_recording_is_refused_by_name(tmp_path):
    write_recording(tmp_path / "empty.wav", np.zeros(0, np.float32), RATE_HZ)
    with pytest.raises(RecordingError, match=r"empty\.wav: holds no samples"):
        read_recording(tmp_path / "empty.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_with_its_place(tmp_path, samples, value):
    broken = samples.copy()
    broken[4800:4803] = value
    write_recording(tmp_path / "broken.wav", broken, RATE_HZ)
    with pytest.raises(RecordingError, match=r"broken\.wav: 3 samples are NaN or infinite, the first at 0\.100 s"):
        read_recording(tmp_path / "broken.wav")


@pytest.mark.parametrize("name", ["take.mp3", "take", "take.aiff"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path, samples, name):
    with pytest.raises(OutputError, match=r"unknown audio suffix .*use \.wav or \.flac"):
        write_recording(tmp_path / name, samples, RATE_HZ)
    assert content(tmp_path) == set()


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_missing_folder_is_an_output_error_and_is_not_created(tmp_path, samples, suffix):
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_recording(tmp_path / "nowhere" / f"take.{suffix}", samples, RATE_HZ)
    assert content(tmp_path) == set()


def test_a_file_where_the_folder_should_be_is_an_output_error(tmp_path, samples):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"take\.wav: cannot be written"):
        write_recording(tmp_path / "file" / "take.wav", samples, RATE_HZ)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_name_too_long_for_the_file_system_is_an_output_error(tmp_path, samples):
    with pytest.raises(OutputError, match="too long"):
        write_recording(tmp_path / f"{'x' * 300}.wav", samples, RATE_HZ)
    assert content(tmp_path) == set()


def test_a_flac_that_would_clip_is_refused_with_its_peak(tmp_path):
    with pytest.raises(OutputError, match=r"peak 1\.50 would clip in FLAC; write a \.wav"):
        write_recording(tmp_path / "hot.flac", np.array([0.1, -1.5, 0.2], np.float32), RATE_HZ)
    assert content(tmp_path) == set()


def test_writing_leaves_one_file_and_replaces_an_old_one(tmp_path, samples):
    write_recording(tmp_path / "take.wav", np.zeros(10, np.float32), RATE_HZ)
    write_recording(tmp_path / "take.wav", samples, RATE_HZ)
    assert content(tmp_path) == {"take.wav"}
    np.testing.assert_array_equal(read_recording(tmp_path / "take.wav").samples, samples)


@pytest.mark.parametrize(("rms_dbfs", "silent"), [(-101.0, True), (-99.0, False)])
def test_silence_begins_below_minus_100_dbfs(rms_dbfs, silent):
    alternating = np.tile(np.array([1.0, -1.0]), 500) * 10 ** (rms_dbfs / 20)
    assert is_silent(alternating.astype(np.float32)) is silent
