"""The main job through the front door: train, evaluate, convert, render, profile on four seconds of audio."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.cli.main import run as run_command
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.manifest import SCHEMES
from neuralpedal.contract.metrics import all_metrics, esr
from neuralpedal.contract.tflite_file import read_manifest
from signals import RATE_HZ, plucks, soft_clip

Cli = Callable[..., tuple[int, str, str]]

RECIPE = "hidden_size: 6\nepochs: 12\nstreams: 8\nchunk_samples: 256\nchunks_per_segment: 4\nwarm_up_samples: 256\n"


@pytest.fixture(scope="module")
def trained(pair_paths: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder made by the command."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "small.yaml").write_text(RECIPE)
    arguments = ["train", *map(str, pair_paths), "--out", str(folder / "tiny"), "--recipe", str(folder / "small.yaml")]
    assert run_command(arguments) == 0
    return folder / "tiny"


@pytest.fixture(scope="module")
def converted(trained: Path) -> Path:
    """The folder of its pedals."""
    out = trained.parent / "pedals"
    assert run_command(["convert", str(trained), "--out", str(out), "--seconds", "0.2"]) == 0
    return out


@pytest.fixture
def test_take(tmp_path: Path) -> tuple[Path, Path]:
    """Another take than the trained one."""
    dry = plucks(1.5, seed=9)
    write_recording(tmp_path / "dry_test.flac", dry, RATE_HZ)
    write_recording(tmp_path / "wet_test.flac", soft_clip(dry), RATE_HZ)
    return tmp_path / "dry_test.flac", tmp_path / "wet_test.flac"


def test_training_leaves_a_picture_and_tells_a_log_how_it_goes(
    pair_paths: tuple[Path, Path], tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralpedal.train.trainer.SAMPLES_BETWEEN_VALIDATIONS", 700_000)
    (tmp_path / "small.yaml").write_text(RECIPE)
    out = tmp_path / "run"
    code, text, err = cli("train", *pair_paths, "--out", out, "--recipe", tmp_path / "small.yaml", "--json")
    assert code == 0 and len(json.loads(text)["history"]) == 3
    assert (out / "training.png").read_bytes().startswith(b"\x89PNG")
    assert [line for line in err.splitlines() if "epoch" in line and "ESR" in line]


def test_evaluate_prints_flat_json_with_every_metric(trained: Path, test_take: tuple[Path, Path], cli: Cli) -> None:
    code, out, _ = cli("evaluate", trained, *test_take, "--json")
    figures = json.loads(out)
    assert code == 0
    assert set(all_metrics(*[np.array([0.5, -0.5])] * 2)) <= set(figures)
    assert figures["esr"] < 0.5 and figures["r2"] > 0.5
    # The two profiles are documented lists of rows; all else is flat.
    profiles = {name for name, value in figures.items() if isinstance(value, dict | list)}
    assert profiles == {"esr_over_time", "esr_over_level"}


def test_a_run_its_keras_file_and_its_float_pedal_evaluate_alike(
    trained: Path, converted: Path, test_take: tuple[Path, Path], cli: Cli
) -> None:
    models = (trained, trained / "model.keras", converted / "tiny.float32.tflite")
    figures = [json.loads(cli("evaluate", model, *test_take, "--engine", "litert", "--json")[1])["esr"]
               for model in models]
    assert figures[0] == figures[1] == pytest.approx(figures[2], rel=1e-5)


def test_the_report_holds_what_the_files_do(converted: Path, trained: Path, cli: Cli) -> None:
    report = json.loads((converted / "report.json").read_text())
    assert list(report["schemes"]) == list(SCHEMES)
    assert report["rounding"] == "joint"
    training = json.loads((trained / "training.json").read_text())
    start, dry = training["data"]["validation_starts_at_sample"], read_recording(Path(training["data"]["dry"]))
    wet = read_recording(Path(training["data"]["wet"]))
    for scheme, row in report["schemes"].items():
        path = converted / row["file"]
        assert path.name == f"tiny.{scheme}.tflite" and path.stat().st_size == row["size_bytes"]
        manifest = read_manifest(path)
        assert manifest.scheme == scheme and manifest.sample_rate_hz == RATE_HZ and manifest.network.hidden_size == 6
        assert (manifest.esr_wet, manifest.esr_float) == (row["esr_wet"], row["esr_float"])
        assert manifest.provenance["dry_sha256"] == training["data"]["dry_sha256"]
        if row["timed_engine"].startswith("none"):
            assert scheme == "tflm16x8" and not shutil.which("cc")
            assert row["us_per_block_p50"] is row["us_per_block_p99"] is row["real_time_factor"] is None
        else:
            assert 0 < row["us_per_block_p50"] <= row["us_per_block_p99"] and row["real_time_factor"] > 0
        # The figure again, from the file: half a second of warm-up, then the validation part.
        excerpt = converted / "validation.wav"
        write_recording(excerpt, dry.samples[start - RATE_HZ // 2 :], RATE_HZ)
        # LiteRT plays w8a16 in float and tflm16x8 not at all; the figure is that of their integers.
        engine = "reference" if scheme in ("w8a16", "tflm16x8") else "litert"
        assert cli("render", path, excerpt, converted / "played.wav", "--engine", engine)[0] == 0
        played = read_recording(converted / "played.wav").samples[RATE_HZ // 2 :]
        assert esr(wet.samples[start:], played) == pytest.approx(row["esr_wet"], rel=1e-9)


def test_w8_costs_nothing_after_training_on_its_grid_and_w8a8_little(converted: Path) -> None:
    schemes = json.loads((converted / "report.json").read_text())["schemes"]
    assert schemes["float32"]["esr_float"] < 1e-9
    assert schemes["w8"]["esr_float"] < 1e-9
    assert 1e-9 < schemes["w8a16"]["esr_float"] < 1e-5
    assert 1e-9 < schemes["tflm16x8"]["esr_float"] < 1e-2
    assert 1e-9 < schemes["w8a8"]["esr_float"] < 0.1
    assert schemes["w8"]["esr_wet"] == pytest.approx(schemes["float32"]["esr_wet"], rel=1e-4)


def test_convert_writes_a_page_beside_its_figures(converted: Path) -> None:
    page = (converted / "report.html").read_text()
    # Dry, wet and the float model, every scheme, and the errors of the float model and of every scheme.
    assert "Content-Security-Policy" in page and page.count('name="track"') == 3 + len(SCHEMES) + 1 + len(SCHEMES)
    # Which of them are probed depends on how busy the machine is, and on a compiler.
    silence = page[page.index('id="silence"') : page.index("<h2>Spectrograms")]
    assert all(scheme in silence for scheme in SCHEMES)


def test_convert_measures_on_a_given_take_and_writes_the_schemes_asked_for(
    trained: Path, test_take: tuple[Path, Path], tmp_path: Path, cli: Cli
) -> None:
    code, out, _ = cli("convert", trained, "--out", tmp_path / "out", "--schemes", "w8", "--seconds", 0.1, "--dry",
                       test_take[0], "--wet", test_take[1], "--json", "--no-report")
    report = json.loads(out)
    assert code == 0 and list(report["schemes"]) == ["w8"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", "tiny.w8.tflite"]
    evaluated = json.loads(cli("evaluate", tmp_path / "out" / "tiny.w8.tflite", *test_take, "--engine", "litert",
                               "--json")[1])
    assert report["schemes"]["w8"]["esr_wet"] == pytest.approx(evaluated["esr"], rel=1e-9)
    float_model = json.loads(cli("evaluate", trained, *test_take, "--json")[1])
    assert report["esr_float_model_wet"] == pytest.approx(float_model["esr"], rel=1e-9)


def test_a_bare_keras_file_needs_recordings(trained: Path, test_take: tuple[Path, Path], tmp_path: Path,
                                            cli: Cli) -> None:
    model = trained / "model.keras"
    code, _, err = cli("convert", model, "--out", tmp_path / "out")
    assert code == 1 and "add --dry, and --wet to measure" in err
    assert cli("convert", model, "--out", tmp_path / "out", "--no-report", "--rounding", "nearest", "--seconds", 0.1,
               "--dry", test_take[0], "--wet", test_take[1])[0] == 0


def test_recordings_that_moved_or_changed_since_training_are_named(
    trained: Path, tmp_path: Path, pair_paths: tuple[Path, Path], cli: Cli
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(trained, moved)
    training = json.loads((moved / "training.json").read_text())
    training["data"]["dry"] = str(tmp_path / "gone.wav")
    (moved / "training.json").write_text(json.dumps(training))
    code, _, err = cli("convert", moved, "--out", tmp_path / "out")
    assert code == 1 and "gone.wav" in err and "--dry and --wet" in err
    training["data"]["dry"] = str(pair_paths[1])
    (moved / "training.json").write_text(json.dumps(training))
    code, _, err = cli("convert", moved, "--out", tmp_path / "out")
    assert code == 1 and "has changed since" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "tflm16x8"])
def test_both_engines_render_alike(scheme: str, converted: Path, test_take: tuple[Path, Path], tmp_path: Path,
                                   cli: Cli) -> None:
    outputs = []
    for engine in ("litert", "reference"):
        target = tmp_path / f"{engine}.wav"
        assert cli("render", converted / f"tiny.{scheme}.tflite", test_take[0], target, "--engine", engine)[0] == 0
        outputs.append(read_recording(target).samples)
    # Of w8a16 one engine plays the float view, the other the integers.
    tolerance = {"w8a8": 0.0, "w8a16": 5e-4}.get(scheme, 1e-5)
    np.testing.assert_allclose(*outputs, rtol=0, atol=tolerance)


@pytest.mark.parametrize("family", ["gru", "rnn", "frame_lstm"])
def test_every_family_is_trained_evaluated_and_rendered_from_its_run_folder(
    family: str, pair_paths: tuple[Path, Path], tmp_path: Path, test_take: tuple[Path, Path], cli: Cli
) -> None:
    recipe = RECIPE.replace("epochs: 12", "epochs: 1").replace("warm_up_samples: 256", "warm_up_samples: 31")
    (tmp_path / "small.yaml").write_text(recipe)
    options = ["--family", family, *(["--frame", 8] if family == "frame_lstm" else [])]
    run, out = tmp_path / "run", tmp_path / "out.wav"
    code, text, _ = cli("train", *pair_paths, "--out", run, "--recipe", tmp_path / "small.yaml", *options, "--json")
    assert code == 0 and json.loads(text)["network"]["family"] == family and (run / "training.png").is_file()
    code, text, err = cli("evaluate", run, *test_take, "--no-probes", "--json")
    assert code == 0, err
    assert cli("render", run, test_take[0], out)[0] == 0
    wet, played = read_recording(test_take[1]).samples, read_recording(out).samples
    assert json.loads(text)["esr"] == pytest.approx(esr(wet, played), rel=1e-6)


def test_the_demo_does_the_whole_line(tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "demo"
    code, text, _ = cli("demo", "--out", out, "--minutes", 0.05, "--hidden", 4, "--seconds", 8, "--test-seconds", 2,
                        "--json")
    report = json.loads(text)
    played = [scheme for scheme in SCHEMES if scheme != "tflm16x8"]
    assert code == 0 and list(report["schemes"]) == played
    wavs = {path.name for path in (out / "audio").glob("*.wav")}
    assert {"dry.wav", "wet.wav", "dry_test.wav", "wet_test.wav", *(f"{s}_test.wav" for s in played)} == wavs
    for scheme, row in report["schemes"].items():
        wet, answer = (read_recording(out / "audio" / f"{name}_test.wav").samples for name in ("wet", scheme))
        assert esr(wet, answer) == pytest.approx(row["esr_wet"], rel=1e-6)
    assert (out / "pedal" / "report.png").read_bytes().startswith(b"\x89PNG")
