"""What cannot be opened is refused with its own kind of error, one line, and the right exit code."""

from pathlib import Path

import numpy as np
import pytest

from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.errors import ModelFileError, PedalError, SpecError
from neuralpedal.device.engine import ENGINES, MAX_BLOCK_SIZE, open_engine

pytestmark = pytest.mark.device

GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = ["lstm-1x4-skip.float32", "lstm-2x3.w8", "lstm-1x4-skip.w8a8"]
MODEL = GOLDEN / f"{MODELS[0]}.tflite"


def patched(path: Path, model: str, old: bytes, new: bytes) -> Path:
    """A golden model with some bytes exchanged for as many others."""
    data = (GOLDEN / f"{model}.tflite").read_bytes()
    assert data.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


def check_refused(cli, model: Path, engine: str, error: type[PedalError], words: str) -> None:
    """The same refusal from the library and from the command line."""
    with pytest.raises(error, match=words) as caught:
        open_tflite(model, engine)
    code, out, err = cli("profile", model, "--engine", engine, "--seconds", "0.1")
    assert code == (2 if error is SpecError else 1)
    assert out == ""
    assert err.splitlines() == [f"neuralpedal: {caught.value}"]


def test_an_unknown_engine_is_a_spec_error_that_lists_the_known_ones():
    with pytest.raises(SpecError, match="engine 'warp': not one of native, litert, reference"):
        open_engine(MODEL, "warp")


def test_an_unknown_engine_is_wrong_usage(cli):
    code, out, err = cli("profile", MODEL, "--engine", "warp")
    assert (code, out) == (2, "")
    assert "'warp' is not one of 'auto', 'native', 'litert', 'reference'" in err


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("block_size", [0, -1, MAX_BLOCK_SIZE + 1])
def test_an_impossible_block_size_is_wrong_usage(cli, engine, block_size):
    words = f"block size {block_size}: wanted 1 to 65536 samples"
    with pytest.raises(SpecError, match=words):
        open_tflite(MODEL, engine, block_size)
    code, out, err = cli("profile", MODEL, "--engine", engine, "--block", block_size)
    assert (code, out) == (2, "")
    assert err.splitlines() == [f"neuralpedal: {words}"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_file_is_refused_by_name(cli, tmp_path, engine):
    check_refused(cli, tmp_path / "gone.tflite", engine, ModelFileError, r"gone\.tflite: no such file")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.99])
def test_a_truncated_model_is_refused_by_name(cli, tmp_path, engine, model, share):
    data = (GOLDEN / f"{model}.tflite").read_bytes()
    (tmp_path / "cut.tflite").write_bytes(data[: int(share * len(data))])
    check_refused(cli, tmp_path / "cut.tflite", engine, ModelFileError, r"cut\.tflite: damaged or truncated")


@pytest.mark.parametrize("engine", ENGINES)
def test_audio_in_place_of_a_model_is_refused_by_name(cli, tmp_path, engine):
    write_recording(tmp_path / "dry.wav", np.zeros(10, np.float32), 48_000)
    check_refused(cli, tmp_path / "dry.wav", engine, ModelFileError, r"dry\.wav: not a TFLite model")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_without_our_manifest_is_refused_as_foreign(cli, tmp_path, engine, model):
    foreign = patched(tmp_path / "foreign.tflite", model, b"neuralpedal_manifest", b"somebody's_meta_data")
    check_refused(cli, foreign, engine, ModelFileError, r"foreign\.tflite: a TFLite model without a neuralpedal")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_a_newer_manifest_is_refused_with_both_versions(cli, tmp_path, engine, model):
    newer = patched(tmp_path / "newer.tflite", model, b'"format_version": 1', b'"format_version": 8')
    check_refused(cli, newer, engine, ModelFileError, r"format_version 8, this neuralpedal reads up to 5; upgrade")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_manifest_is_refused_by_name(cli, tmp_path, engine):
    damaged = patched(tmp_path / "damaged.tflite", MODELS[0], b'"scheme": ', b'"scheme"; ')
    check_refused(cli, damaged, engine, ModelFileError, r"damaged\.tflite: its manifest is not JSON")


def test_a_manifest_that_contradicts_its_tensors_is_refused_by_the_reference(tmp_path):
    other = patched(tmp_path / "other.tflite", MODELS[0], b'"hidden_size": 4', b'"hidden_size": 5')
    with pytest.raises(ModelFileError, match=r"other\.tflite: its tensors contradict its manifest"):
        open_engine(other, "reference")


@pytest.mark.parametrize("model", MODELS)
def test_a_refused_model_renders_nothing(cli, tmp_path, model):
    newer = patched(tmp_path / "newer.tflite", model, b'"format_version": 1', b'"format_version": 9')
    write_recording(tmp_path / "dry.wav", np.ones(10, np.float32), 48_000)
    assert cli("render", newer, tmp_path / "dry.wav", tmp_path / "wet.wav")[0] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dry.wav", "newer.tflite"]
