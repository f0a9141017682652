"""A file through a pedal into another file: same length, same rate, and nothing left behind on failure."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.metrics import esr
from neuralpedal.device.engine import open_engine
from neuralpedal.device.render import render_file

pytestmark = pytest.mark.device

MODEL = Path(__file__).parents[1] / "golden" / "lstm-1x4-skip.float32.tflite"
MODEL_RATE_HZ = 48_000


def tone(length: int, rate_hz: int) -> np.ndarray:
    """A chord below 2 kHz that fades in and out: the same sound at any rate."""
    time_s = np.arange(length) / rate_hz
    chord = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in (110.0, 331.0, 880.0, 1760.0))
    return (0.1 * chord * np.sin(np.pi * np.arange(length) / length) ** 2).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Not a whole number of blocks of 64."""
    write_recording(tmp_path / "dry.wav", tone(10_007, MODEL_RATE_HZ), MODEL_RATE_HZ)
    return tmp_path / "dry.wav"


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_rendering_is_as_long_as_its_source_and_sounds_as_streamed_in_one_block(cli, source, tmp_path, suffix):
    target = tmp_path / f"wet.{suffix}"
    assert cli("render", MODEL, source, target)[0] == 0
    wet = read_recording(target)
    assert (len(wet.samples), wet.sample_rate_hz) == (10_007, MODEL_RATE_HZ)
    expected = np.zeros(10_007, np.float32)
    open_engine(MODEL, "reference", 10_007).process(read_recording(source).samples, expected)
    np.testing.assert_allclose(wet.samples, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 128])
@pytest.mark.parametrize("block_size", [1, 64, 1024])
def test_every_length_is_kept(tmp_path, length, block_size):
    write_recording(tmp_path / "dry.wav", tone(1024, MODEL_RATE_HZ)[-length:] + np.float32(0.1), MODEL_RATE_HZ)
    rendering = render_file(open_engine(MODEL, "litert", block_size), tmp_path / "dry.wav", tmp_path / "wet.wav")
    assert soundfile.info(tmp_path / "wet.wav").frames == length
    assert rendering.seconds == length / MODEL_RATE_HZ
    assert rendering.peak == np.max(np.abs(read_recording(tmp_path / "wet.wav").samples))


@pytest.mark.parametrize("engine", ["litert", "reference"])
def test_what_was_done_is_one_json_document(cli, source, tmp_path, engine):
    code, out, _ = cli("render", MODEL, source, tmp_path / "wet.wav", "--engine", engine, "--json")
    answer = json.loads(out)
    assert code == 0
    assert set(answer) == {"file", "seconds", "sample_rate_hz", "resampled", "peak", "engine"}
    assert answer["file"] == str(tmp_path / "wet.wav")
    assert answer["seconds"] == 10_007 / MODEL_RATE_HZ
    assert answer["resampled"] is False
    assert answer["engine"].startswith(engine)


def test_progress_runs_from_0_to_1_without_going_back(source, tmp_path):
    told: list[float] = []
    render_file(open_engine(MODEL, "litert", 64), source, tmp_path / "wet.wav", report=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert 50 < len(told) < 250


def test_a_file_may_be_rendered_over_itself(source):
    dry = read_recording(source).samples
    render_file(open_engine(MODEL), source, source)
    wet = read_recording(source).samples
    assert len(wet) == len(dry)
    assert not np.array_equal(wet, dry)


@pytest.mark.parametrize("rate_hz", [44_100, 96_000])
def test_another_rate_is_refused_with_exit_code_1_and_both_rates(cli, tmp_path, rate_hz):
    write_recording(tmp_path / "dry.wav", tone(2000, rate_hz), rate_hz)
    code, out, err = cli("render", MODEL, tmp_path / "dry.wav", tmp_path / "wet.wav")
    assert (code, out) == (1, "")
    assert f"dry.wav: {rate_hz} Hz, but the model was trained at 48000 Hz; add --resample" in err
    assert [path.name for path in tmp_path.iterdir()] == ["dry.wav"]


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 96_000])
@pytest.mark.parametrize("length", [1, 10_007])
def test_resample_keeps_length_and_rate(cli, tmp_path, rate_hz, length):
    write_recording(tmp_path / "dry.wav", tone(length, rate_hz) + np.float32(0.01), rate_hz)
    code, out, _ = cli("render", MODEL, tmp_path / "dry.wav", tmp_path / "wet.wav", "--resample", "--json")
    wet = read_recording(tmp_path / "wet.wav")
    assert code == 0
    assert (len(wet.samples), wet.sample_rate_hz) == (length, rate_hz)
    assert json.loads(out)["resampled"] is True
    assert json.loads(out)["sample_rate_hz"] == rate_hz


def test_a_resampled_rendering_is_close_to_one_at_the_models_rate(tmp_path):
    seconds = 0.25
    for name, rate_hz in (("native", MODEL_RATE_HZ), ("double", 2 * MODEL_RATE_HZ)):
        write_recording(tmp_path / f"{name}.wav", tone(round(seconds * rate_hz), rate_hz), rate_hz)
        render_file(open_engine(MODEL), tmp_path / f"{name}.wav", tmp_path / f"{name}-wet.wav", resample=True)
    native, double = (read_recording(tmp_path / f"{name}-wet.wav").samples for name in ("native", "double"))
    # Half a millisecond at each end rings and starts.
    inner = slice(500, -500)
    assert esr(native[inner], double[::2][inner]) < 1e-5
    assert esr(native[inner], tone(len(native), MODEL_RATE_HZ)[inner]) > 1e-2


def test_resample_changes_nothing_at_the_models_own_rate(source, tmp_path):
    for name, resample in (("plain", False), ("asked", True)):
        rendering = render_file(open_engine(MODEL), source, tmp_path / f"{name}.wav", resample=resample)
        assert rendering.resampled is False
    # Samples, not bytes: libsndfile writes the time of day into a float WAV (PEAK chunk).
    plain, asked = (soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0] for name in ("plain", "asked"))
    assert plain.tobytes() == asked.tobytes()


@pytest.mark.parametrize("target", ["missing/wet.wav", "wet.mp3", "taken.wav", "dry.wav/wet.wav"])
def test_an_unwritable_output_is_exit_code_1_and_leaves_nothing(cli, source, tmp_path, target):
    (tmp_path / "taken.wav").mkdir()
    before = sorted(tmp_path.rglob("*"))
    code, out, err = cli("render", MODEL, source, tmp_path / target)
    assert (code, out) == (1, "")
    assert target in err
    assert "bug" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_rendering_too_hot_for_flac_is_refused_and_fits_a_wav(cli, tmp_path):
    write_recording(tmp_path / "hot.wav", 20 * tone(4000, MODEL_RATE_HZ), MODEL_RATE_HZ)
    code, _, err = cli("render", MODEL, tmp_path / "hot.wav", tmp_path / "wet.flac")
    assert code == 1
    assert "would clip in FLAC" in err
    assert not (tmp_path / "wet.flac").exists()
    assert cli("render", MODEL, tmp_path / "hot.wav", tmp_path / "wet.wav")[0] == 0
    assert np.max(np.abs(read_recording(tmp_path / "wet.wav").samples)) > 1.0


def test_a_missing_source_is_a_recording_error_and_exit_code_1(cli, tmp_path):
    with pytest.raises(RecordingError, match=r"gone\.wav: no such file"):
        render_file(open_engine(MODEL), tmp_path / "gone.wav", tmp_path / "wet.wav")
    assert cli("render", MODEL, tmp_path / "gone.wav", tmp_path / "wet.wav")[0] == 1
    assert list(tmp_path.iterdir()) == []
