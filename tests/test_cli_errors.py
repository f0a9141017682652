"""Bad input on the command line: one clear line, the right exit code, nothing half-written."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.manifest import METADATA_NAME, Manifest, encode_manifest
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert import self_description
from neuralpedal.convert.float_graph import build_float32
from signals import RATE_HZ, plucks, soft_clip

Cli = Callable[..., tuple[int, str, str]]

DRY = plucks(1.0)
WET = soft_clip(DRY)


def _write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    return path


@pytest.fixture
def dry(tmp_path: Path) -> Path:
    """A good dry track."""
    return _write(tmp_path / "dry.wav", DRY)


@pytest.fixture
def pedal(tmp_path: Path) -> Path:
    """A good float32 file."""
    weights = random_weights(make_spec(hidden_size=4), seed=0)
    path = tmp_path / "pedal.float32.tflite"
    path.write_bytes(build_float32(weights, Manifest(name="pedal", scheme="float32", network=weights.spec)))
    return path


def _says(result: tuple[int, str, str], code: int, *words: str) -> None:
    """The exit code, exactly one line on stderr that holds every word, nothing on stdout, no traceback."""
    found, out, err = result
    lines = [line for line in err.splitlines() if line.startswith("neuralpedal:") or line.startswith("Error")]
    assert found == code, err
    assert len(lines) == 1 and "Traceback" not in err, err
    assert all(word in lines[0] for word in words), lines[0]
    assert out == ""


def _bad_wet(folder: Path, kind: str) -> Path:
    path = folder / "wet.wav"
    if kind == "not audio":
        path.write_bytes(b"this is no audio file at all" * 100)
    elif kind == "stereo":
        soundfile.write(path, np.stack([WET, WET], axis=1), RATE_HZ)
    elif kind == "rate":
        _write(path, WET, 44_100)
    elif kind == "length":
        _write(path, WET[: int(0.95 * len(WET))])
    elif kind in ("nan", "inf"):
        broken = WET.copy()
        broken[24_000] = np.nan if kind == "nan" else np.inf
        _write(path, broken)
    elif kind == "silence":
        _write(path, np.zeros_like(WET))
    return path


BAD_WET = [
    ("missing", ("wet.wav: no such file",)),
    ("not audio", ("wet.wav: not audio",)),
    ("stereo", ("wet.wav: 2 channels, wanted 1",)),
    ("rate", ("wet.wav: 44100 Hz", "dry.wav has 48000 Hz", "resample")),
    ("length", ("wet.wav: 0.95 s", "dry.wav has 1.00 s", "same take")),
    ("nan", ("wet.wav: 1 samples are NaN or infinite", "0.500 s")),
    ("inf", ("wet.wav: 1 samples are NaN or infinite", "0.500 s")),
    ("silence", ("wet.wav: silent",)),
]


@pytest.mark.parametrize(("kind", "words"), BAD_WET)
def test_train_refuses_a_bad_recording_and_makes_no_folder(
    kind: str, words: tuple[str, ...], cli: Cli, dry: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    _says(cli("train", dry, _bad_wet(tmp_path, kind), "--out", out, "--epochs", 1), 1, *words)
    assert not out.exists()


@pytest.mark.parametrize(("kind", "words"), BAD_WET)
def test_evaluate_refuses_a_bad_recording(
    kind: str, words: tuple[str, ...], cli: Cli, dry: Path, pedal: Path, tmp_path: Path
) -> None:
    _says(cli("evaluate", pedal, dry, _bad_wet(tmp_path, kind), "--json"), 1, *words)


@pytest.mark.parametrize(("kind", "words"), [row for row in BAD_WET if row[0] not in ("rate", "length", "silence")])
def test_render_refuses_a_bad_recording_and_writes_nothing(
    kind: str, words: tuple[str, ...], cli: Cli, pedal: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    _says(cli("render", pedal, _bad_wet(tmp_path, kind), out), 1, *words)
    assert not out.exists()


def test_a_wet_track_that_is_a_copy_of_the_dry_one_is_warned_about(cli: Cli, dry: Path, pedal: Path) -> None:
    code, out, err = cli("evaluate", pedal, dry, dry, "--json")
    assert code == 0 and json.loads(out)["esr"] > 0
    assert "warning" in err and "copy of" in err and "bypassed" in err


def test_evaluate_and_render_refuse_another_sample_rate(cli: Cli, pedal: Path, tmp_path: Path) -> None:
    track = _write(tmp_path / "d44.wav", DRY, 44_100)
    _says(cli("evaluate", pedal, track, _write(tmp_path / "w44.wav", WET, 44_100)), 1, "44100 Hz", "48000 Hz")
    _says(cli("render", pedal, track, tmp_path / "out.wav"), 1, "44100 Hz", "48000 Hz", "--resample")
    assert not (tmp_path / "out.wav").exists()


def _broken_model(folder: Path, pedal: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / "broken.tflite"
    weights = random_weights(make_spec(hidden_size=4), seed=0)
    manifest = Manifest(name="pedal", scheme="float32", network=weights.spec)
    if kind == "truncated":
        path.write_bytes(pedal.read_bytes()[:-700])
    elif kind == "foreign":
        monkeypatch.setattr(self_description, "METADATA_NAME", "somebody_elses")
        path.write_bytes(build_float32(weights, manifest))
    elif kind == "newer":
        path.write_bytes(build_float32(weights, manifest.model_copy(update={"format_version": 99})))
    elif kind == "text":
        path.write_text("I am not a model")
    return path


@pytest.mark.parametrize(("kind", "words"), [
    ("missing", ("broken.tflite", "no such file")),
    ("text", ("broken.tflite", "not a TFLite model")),
    ("truncated", ("broken.tflite", "damaged or truncated")),
    ("foreign", ("broken.tflite", "without a neuralpedal manifest", "neuralpedal convert")),
    ("newer", ("broken.tflite", "format_version 99", "up to 5", "upgrade")),
])
@pytest.mark.parametrize("command", ["render", "profile", "evaluate"])
def test_a_broken_model_is_named_and_nothing_is_written(
    command: str, kind: str, words: tuple[str, ...], cli: Cli, dry: Path, pedal: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, out = _broken_model(tmp_path, pedal, kind, monkeypatch), tmp_path / "out.wav"
    wet = _write(tmp_path / "wet.wav", WET)
    arguments = {"render": (dry, out), "profile": ("--seconds", 0.1), "evaluate": (dry, wet)}
    _says(cli(command, model, *arguments[command]), 1, *words)
    assert not out.exists()


def test_a_manifest_that_contradicts_the_graph_is_refused_by_the_reference(cli: Cli, dry: Path, tmp_path: Path) -> None:
    weights = random_weights(make_spec(hidden_size=4), seed=0)
    lie = Manifest(name="pedal", scheme="float32", network=make_spec(hidden_size=5))
    path = tmp_path / "liar.tflite"
    path.write_bytes(build_float32(weights, lie))
    assert METADATA_NAME.encode() in path.read_bytes() and encode_manifest(lie) in path.read_bytes()
    _says(cli("render", path, dry, tmp_path / "out.wav", "--engine", "reference"), 1, "liar.tflite", "contradict")


@pytest.mark.parametrize(("arguments", "words"), [
    (("convert", "RUN", "--out", "OUT", "--schemes", "w4"), ("w4", "float32, w8, w8a16, tflm16x8, w8a8")),
    (("convert", "RUN", "--out", "OUT", "--schemes", ","), ("float32, w8, w8a16, tflm16x8, w8a8",)),
    (("convert", "RUN", "--out", "OUT", "--wet", "x.wav"), ("--wet needs --dry",)),
    (("render", "PEDAL", "DRY", "OUT.wav", "--engine", "magic"), ("magic",)),
    (("render", "PEDAL", "DRY", "OUT.wav", "--block", "0"), ("block size 0",)),
    (("profile", "PEDAL", "--seconds", "0"), ("--seconds",)),
    (("train", "DRY", "DRY", "--out", "OUT", "--hidden", "0"), ("hidden_size", "0")),
    (("train", "DRY", "DRY", "--out", "OUT", "--layers", "3"), ("num_layers", "3")),
    (("train", "DRY", "DRY", "--out", "OUT", "--family", "organ"), ("organ", "frame_lstm")),
    (("train", "DRY", "DRY", "--out", "OUT", "--frame", "64"), ("--family frame_lstm", "lstm carries its state on")),
    (("train", "DRY", "DRY", "--out", "OUT", "--family", "gru", "--frame", "64"), ("--frame", "gru")),
    (("train", "DRY", "DRY", "--out", "OUT", "--family", "frame_lstm", "--frame", "1"), ("frame_samples", "1")),
    (("train", "DRY", "DRY", "--out", "OUT", "--minutes", "1", "--epochs", "1"), ("--minutes or --epochs",)),
    (("train", "DRY", "DRY", "--out", "OUT", "--recipe", "nowhere.yaml"), ("nowhere.yaml: no such file",)),
    (("train", "DRY"), ("WET",)),
    (("frobnicate",), ("frobnicate",)),
])
def test_wrong_usage_exits_2_and_says_what_is_wrong(
    arguments: tuple[str, ...], words: tuple[str, ...], cli: Cli, dry: Path, pedal: Path, tmp_path: Path
) -> None:
    places = {"RUN": tmp_path / "run", "OUT": tmp_path / "out", "OUT.wav": tmp_path / "out.wav", "PEDAL": pedal,
              "DRY": dry}
    _says(cli(*(places.get(argument, argument) for argument in arguments)), 2, *words)
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.wav").exists()


def test_unwritable_outputs_are_refused_before_the_work(cli: Cli, dry: Path, pedal: Path, tmp_path: Path) -> None:
    wet = _write(tmp_path / "wet.wav", WET)
    blocked = dry / "below-a-file"
    _says(cli("train", dry, wet, "--out", blocked, "--epochs", 1), 1, "below-a-file", "cannot create")
    _says(cli("render", pedal, dry, blocked / "x.wav"), 1, "x.wav", "cannot be written")
    _says(cli("render", pedal, dry, tmp_path / "no-such-folder" / "x.wav"), 1, "x.wav", "folder does not exist")
    _says(cli("render", pedal, dry, tmp_path / "x.mp3"), 1, "x.mp3", ".wav or .flac")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(cli: Cli, dry: Path, pedal: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    _says(cli("render", pedal, dry, folder / "x.wav"), 1, "x.wav", "cannot be written")


def _with_full_disk(arguments: list[str], limit_bytes: int) -> subprocess.CompletedProcess[str]:
    """Run the command where no file may grow beyond ``limit_bytes``: writing fails as on a full disk."""
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-c", "import sys; from neuralpedal.cli.main import main; main(sys.argv[1:])"]
    return subprocess.run([*command, *arguments], preexec_fn=limit, capture_output=True, text=True, check=False)


def test_render_on_a_full_disk_leaves_the_old_file_and_nothing_else(dry: Path, pedal: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    write_recording(out, DRY[:100], RATE_HZ)
    before, files = out.read_bytes(), sorted(tmp_path.iterdir())
    result = _with_full_disk(["render", str(pedal), str(dry), str(out)], 50_000)
    assert result.returncode == 1 and "out.wav: cannot be written" in result.stderr, result.stderr
    assert out.read_bytes() == before and sorted(tmp_path.iterdir()) == files


def test_train_on_a_full_disk_fails_clearly_and_leaves_no_half_files(dry: Path, tmp_path: Path) -> None:
    wet, out = _write(tmp_path / "wet.wav", WET), tmp_path / "run"
    recipe = tmp_path / "small.yaml"
    recipe.write_text("hidden_size: 4\nepochs: 1\nstreams: 4\nchunk_samples: 256\nwarm_up_samples: 256\n")
    result = _with_full_disk(["train", str(dry), str(wet), "--out", str(out), "--recipe", str(recipe)], 4096)
    assert result.returncode == 1 and "cannot be written" in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in out.iterdir()] == ["recipe.yaml"]


def test_debug_shows_the_traceback(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("--debug", "profile", tmp_path / "none.tflite")
    assert code == 1 and "Traceback" in err and "none.tflite" in err
