"""Converting a network that has no recordings: calibrated on a guitar alone, held against the float model alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from capture_files import guitarml_json, network, rtneural_json, write
from neuralpedal.cli.convert_command import built_in_guitar
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.tflite_file import read_manifest
from neuralpedal.convert.source import read_source
from neuralpedal.convert.tuning import GOOD_ENOUGH_ESR
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.importing.imported_run import import_file
from signals import RATE_HZ, plucks

Cli = Callable[..., tuple[int, str, str]]
GOLDEN = Path(__file__).parent / "golden"
FAST = ("--rounding", "nearest", "--seconds", "0.1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported LSTM."""
    folder = tmp_path_factory.mktemp("imported")
    import_file(write(folder / "amp.json", guitarml_json("LSTM", 4)), folder / "amp", ImportOptions())
    return folder / "amp"


@pytest.fixture
def dry(tmp_path: Path) -> Path:
    """Four seconds of something like a guitar."""
    write_recording(tmp_path / "dry.wav", plucks(4.0), RATE_HZ)
    return tmp_path / "dry.wav"


def test_dry_audio_alone_calibrates_and_measures_in_different_parts(run: Path, dry: Path) -> None:
    source = read_source(run, dry)
    np.testing.assert_array_equal(source.calibration, plucks(4.0)[: 3 * RATE_HZ])
    np.testing.assert_array_equal(source.take.measured(source.take.dry), plucks(4.0)[3 * RATE_HZ :])
    assert source.take.warm_up_samples == RATE_HZ // 2 and source.take.wet is None and source.calibration_wet is None
    assert source.provenance["imported_format"] == "guitarml" and len(source.provenance["dry_sha256"]) == 64


def test_files_of_an_imported_network_are_held_against_the_float_model(run: Path, dry: Path, tmp_path: Path,
                                                                       cli: Cli) -> None:
    code, text, _ = cli("convert", run, "--out", tmp_path / "pedals", "--dry", dry, "--schemes", "w8", *FAST, "--json")
    report = json.loads(text)
    assert code == 0 and report["esr_float_model_wet"] is None and report["measured_seconds"] == 1.0
    row, manifest = report["schemes"]["w8"], read_manifest(tmp_path / "pedals" / "amp.w8.tflite")
    assert row["esr_wet"] is None and 0.0 < row["esr_float"] < 1e-3
    assert (manifest.esr_wet, manifest.esr_float) == (None, row["esr_float"])
    page = (tmp_path / "pedals" / "report.html").read_text()
    assert "There is no recording of the pedal" in page and "wet (pedal)" not in page and "error of w8" in page
    assert "float model / pedal" not in page and '"id": "float"' in page


def test_the_levels_that_a_capture_states_are_in_its_files_and_what_is_none_is_not(dry: Path, tmp_path: Path,
                                                                                   cli: Cli) -> None:
    said = {"input_level_dbu": 18.3, "output_level_dbu": "loud", "loudness": -19}
    network = {**guitarml_json("LSTM", 4), **said}
    import_file(write(tmp_path / "amp.json", network), tmp_path / "amp", ImportOptions())
    out = tmp_path / "pedals"
    assert cli("convert", tmp_path / "amp", "--out", out, "--dry", dry, "--schemes", "w8", *FAST)[0] == 0
    manifest = read_manifest(tmp_path / "pedals" / "amp.w8.tflite")
    assert (manifest.input_level_dbu, manifest.output_level_dbu, manifest.loudness_db) == (18.3, None, -19.0)


def test_without_any_audio_the_built_in_guitar_plays_and_that_is_said(
    run: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralpedal.cli.convert_command.GUITAR_SECONDS", 4.0)
    built_in_guitar.cache_clear()
    code, text, err = cli("convert", run, "--out", tmp_path / "pedals", "--schemes", "float32", *FAST, "--no-report")
    report = json.loads((tmp_path / "pedals" / "report.json").read_text())
    assert code == 0 and "4 s of the built-in guitar" in err and "–" in text
    assert report["measured_on"].startswith("last quarter of built-in guitar")
    assert report["provenance"]["dry"] == "built-in guitar" and report["schemes"]["float32"]["esr_float"] < 1e-9


@pytest.mark.parametrize(("seconds", "silent_from_s", "said"), [
    (1.0, 1.0, "0.25 s in its last quarter"), (4.0, 3.0, "1 s in its last quarter, and silent"),
])
def test_dry_audio_that_is_too_short_or_falls_silent_is_refused(seconds: float, silent_from_s: float, said: str,
                                                                run: Path, tmp_path: Path) -> None:
    samples = plucks(seconds)
    samples[round(silent_from_s * RATE_HZ) :] = 0.0
    write_recording(tmp_path / "dry.wav", samples, RATE_HZ)
    with pytest.raises(RecordingError, match=f"dry.wav: {said}"):
        read_source(run, tmp_path / "dry.wav")


def test_dry_audio_of_another_rate_is_refused(run: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "dry.wav", plucks(2.0), 44100)
    with pytest.raises(RecordingError, match=r"dry.wav: 44100 Hz, but the model was trained at 48000 Hz"):
        read_source(run, tmp_path / "dry.wav")


@pytest.mark.parametrize(("options", "said"), [
    (("--schemes", "tflm16x8"), "scheme tflm16x8: does not exist for wavenet "),
    (("--finetune", "1"), "WaveNets are not fine-tuned yet"),
])
def test_what_a_network_does_not_have_is_refused_before_anything_is_said_of_audio(options: tuple[str, ...], said: str,
                                                                                  tmp_path: Path, cli: Cli) -> None:
    built_in_guitar.cache_clear()  # which speaks when it plays, once per rate
    import_file(GOLDEN / "wavenet-4-a2.nam", tmp_path / "run", ImportOptions())
    code, _, err = cli("convert", tmp_path / "run", "--out", tmp_path / "pedals", *options)
    assert code == 2 and said in err and "calibrating" not in err and not (tmp_path / "pedals").exists()


def test_a_bare_model_says_that_it_needs_audio(run: Path) -> None:
    with pytest.raises(RecordingError, match="add --dry, and --wet to measure against the pedal"):
        read_source(run / "model.keras", guitar=lambda rate_hz: plucks(4.0))


def test_a_gain_that_the_weights_cannot_take_in_is_in_the_files(dry: Path, tmp_path: Path, cli: Cli) -> None:
    weights = network(skip=True)
    content = rtneural_json(weights, in_skip=1, out_gain=-6.0, samplerate=RATE_HZ)
    imported = import_file(write(tmp_path / "a.json", content), tmp_path / "run", ImportOptions())["imported"]
    assert imported["output_gain_db"] == -6.0 and "convert and export write that gain" in imported["remarks"][-1]
    code, text, _ = cli("convert", tmp_path / "run", "--out", tmp_path / "pedals", "--dry", dry, "--schemes",
                        "float32,w8", *FAST, "--json")
    assert code == 0 and json.loads(text)["schemes"]["float32"]["esr_float"] < 1e-9
    engine = open_engine(tmp_path / "pedals" / "run.float32.tflite", "litert", 64)
    heard = plucks(4.0)[24_000:25_000]
    assert engine.manifest.output_gain_db == -6.0
    np.testing.assert_allclose(stream(engine, heard), 10 ** -0.3 * ReferenceNetwork(weights).process(heard), atol=1e-5)


def test_an_imported_gru_goes_the_whole_line_to_c(
    dry: Path, tmp_path: Path, cli: Cli, c_compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GOOD_ENOUGH_ESR, "w8", 0.0)  # which leaves nothing to tune of a network this small
    path = write(tmp_path / "amp.json", guitarml_json("GRU", 6))
    run, pedals, project = tmp_path / "run", tmp_path / "pedals", tmp_path / "project"
    assert cli("import", path, "--out", run)[0] == 0
    code, text, _ = cli("convert", run, "--out", pedals, "--dry", dry, "--schemes", "w8", "--finetune", "0.02", *FAST,
                        "--no-report", "--json")
    row = json.loads(text)["schemes"]["w8"]
    assert code == 0 and row["finetuned"]["teacher"] == "float"
    assert 0.0 < row["esr_float"] <= row["esr_float_post_training"] < 1e-3
    assert cli("render", pedals / "run.w8.tflite", dry, tmp_path / "wet.wav", "--engine", "litert")[0] == 0
    wanted = ReferenceNetwork(read_capture(path, ImportOptions()).weights).process(plucks(4.0)[:12_000])
    assert esr(wanted, read_recording(tmp_path / "wet.wav").samples[:12_000]) < 1e-3
    assert cli("firmware", pedals / "run.w8.tflite", "--out", project)[0] == 0
    code, text, _ = cli("firmware", "verify", project, "--audio", dry, "--seconds", "0.1", "--json")
    assert code == 0 and json.loads(text)["passed"]
