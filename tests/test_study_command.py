"""`neuralpedal study` on four seconds of audio: the page, the cells, going on after a stop, and wrong input."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from neuralpedal.cli.main import run as run_command
from neuralpedal.cli.study import study as study_module
from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, read_plan
from neuralpedal.cli.study.rows import SHORT_COLUMNS
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.metrics import all_metrics, esr
from neuralpedal.train.frame_training import FrameTraining
from neuralpedal.train.networks import load_model
from signals import RATE_HZ, plucks, soft_clip

Cli = Callable[..., tuple[int, str, str]]

PLAN = """
segment_seconds: 0.5
timing_seconds: 0.02
frame:
  - {target: pedal, layers: 1, units: 4, frame: 8, frames: 640, epochs: [1, 3]}
  - {target: pedal, layers: 2, units: 4, frame: 8, frames: 640, epochs: [3]}
  - {target: pedal, layers: 1, units: 4, frame: 8, frames: 1280, epochs: [3]}
  - {target: tube, layers: 1, units: 4, frame: 8, frames: 640, epochs: [1]}
streaming:
  - {target: pedal, layers: 1, units: 4, epochs: [2]}
  - {target: tube, layers: 1, units: 4, epochs: [1]}
"""
FIRST = "pedal-frame-1x4-8-640"


class _QuickTube:
    """In place of the circuit, which takes seconds and has tests of its own."""

    def process(self, dry: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        return (0.5 * np.tanh(4.0 * dry + 0.1)).astype(np.float32)


@pytest.fixture(scope="module")
def plan_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "small.yaml"
    path.write_text(PLAN)
    return path


@pytest.fixture(scope="module", autouse=True)
def quick_tube() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neuralpedal.cli.virtual.tube_preamp.TubePreamp", _QuickTube)
        patch.setattr("neuralpedal.cli.study.estimate._time_step", lambda layers, units: 1e-6)
        yield


@pytest.fixture(scope="module")
def finished(pair_paths: tuple[Path, Path], plan_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder, made by the command without a stop."""
    out = tmp_path_factory.mktemp("study") / "whole"
    assert run_command(["study", "--plan", str(plan_path), "--out", str(out), *map(str, pair_paths)]) == 0
    return out


def _study(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "study.json").read_text("utf-8"))


def _figures(folder: Path) -> list[dict[str, Any]]:
    """All that must be the same every time."""
    timed = re.compile("training_seconds|judging_seconds|litert_.*|keras_.*")
    return [{key: value for key, value in row.items() if not timed.fullmatch(key)} for row in _study(folder)["rows"]]


def test_every_cell_and_every_snapshot_is_there(finished, plan_path):
    study, plan = _study(finished), read_plan(plan_path)
    assert [cell["id"] for cell in study["cells"]] == [cell.id for cell in plan.cells]
    for cell in plan.cells:
        folder = finished / "cells" / cell.id
        assert (folder / "result.json").is_file() and not (folder / "checkpoint.npz").exists()
        found = [row for row in study["rows"] if row["id"] == cell.id]
        assert [row["planned_epochs"] for row in found] == list(cell.epochs)
        assert [row["is_last"] for row in found] == [False] * (len(cell.epochs) - 1) + [True]


def test_the_json_holds_known_columns_and_six_findings(finished):
    study = _study(finished)
    assert set(study) == {"format", "plan", "recordings", "sample_rate_hz", "targets", "blog", "findings", "rows",
                          "costs", "cells", "machine"}
    for row in study["rows"]:
        assert set(SHORT_COLUMNS) <= set(row) and set(all_metrics(*[np.array([0.5, -0.5])] * 2)) <= set(row)
        assert {"esr_6_12_khz", "hf_error_dbfs", "silence_dc_dbfs", "aliasing_worst_db", "id", "kind"} <= set(row)
    assert [finding["number"] for finding in study["findings"]] == [1, 2, 3, 4, 5, 6]
    assert {cost["structure"] for cost in study["costs"]} == {"1×4/8", "2×4/8", "1×4"}
    assert all(cost["litert_us_per_sample"] > 0 for cost in study["costs"])
    assert study["targets"]["pedal"]["test_seconds"] == pytest.approx(1.0, abs=1e-3)
    assert study["plan"]["test_share"] == 0.2 and study["recordings"]["dry"] == "dry.wav"


def test_the_page_needs_nothing_but_itself(finished):
    page = (finished / "study.html").read_text("utf-8")
    assert "http:" not in page and "https:" not in page and "<script" not in page and "<link" not in page
    references = re.findall(r"""(?:src|href|action|data|poster)\s*=\s*["']([^"']*)""", page)
    assert references and all(reference.startswith(("data:", "#")) for reference in references)
    assert not re.search(r"url\((?!#)", page) and "@import" not in page
    # Every reference inside an SVG has its one target.
    identifiers = re.findall(r'\sid="([^"]*)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert {reference[1:] for reference in references if reference.startswith("#")} <= set(identifiers)
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(identifiers)


def test_the_page_shows_every_section_and_plays_what_was_judged(finished, tmp_path):
    page = (finished / "study.html").read_text("utf-8")
    for heading in ("six findings", "What was published", "Longer training", "More data", "Quality against cost",
                    "Where the error lies", "Listen and look: pedal", "Listen and look: tube", "All figures",
                    "costs to play"):
        assert heading in page
    # Two figures of numbers per section, three of sounds per target; each is explained.
    assert page.count("<figure>") == 4 + 2 * 3 and page.count("How to read:") >= 10
    players = re.findall(r'<audio[^>]* src="data:audio/flac;base64,([^"]*)"', page)
    assert len(players) == 2 * 2 + 5 + 2
    for index, name in ((2, "played-001.wav"), (3, "played-003.wav")):
        samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(players[index])))
        assert rate_hz == SAMPLE_RATE_HZ
        kept = read_recording(finished / "cells" / FIRST / name).samples
        np.testing.assert_allclose(samples, kept, atol=1.0 / 32_000)


def test_the_text_holds_the_tables_in_markdown(finished):
    text = (finished / "study.md").read_text("utf-8")
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) == 5
    for table in tables:
        widths = {line.count("|") for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "1×4 streaming" in text and "**" in text


def test_a_kept_network_is_the_one_that_was_judged(finished, pair_paths, cli: Cli):
    model = load_model(finished / "cells" / FIRST / "model-003.keras")
    assert model.spec.family == "frame_lstm" and model.spec.frame_samples == 8 and not model.spec.skip
    study = _study(finished)
    number = study["targets"]["pedal"]["excerpt_segment"]
    length = round(0.5 * SAMPLE_RATE_HZ)
    dry, wet = (soxr.resample(read_recording(path).samples, RATE_HZ, SAMPLE_RATE_HZ, quality="VHQ")
                for path in pair_paths)
    played = read_recording(finished / "cells" / FIRST / "played-003.wav").samples
    part = slice(number * length, (number + 1) * length)
    before = min(number * length, 100)
    again = model.process(dry[part.start - before : part.stop].astype(np.float32))[before:]
    np.testing.assert_allclose(played, again, atol=1e-5)
    assert 0 < esr(wet[part], played) < 2


def test_a_second_run_trains_nothing_and_prints_the_json(finished, pair_paths, plan_path, cli: Cli, monkeypatch):
    monkeypatch.setattr("neuralpedal.cli.study.study.train_cell", lambda *_: pytest.fail("trained again"))
    before = {path: path.stat().st_mtime_ns for path in (finished / "cells").rglob("*")}
    figures = _figures(finished)
    code, out, _ = cli("study", "--plan", plan_path, "--out", finished, *pair_paths, "--json")
    assert code == 0 and json.loads(out) == _study(finished)
    assert {path: path.stat().st_mtime_ns for path in (finished / "cells").rglob("*")} == before
    assert _figures(finished) == figures


class _Killed(BaseException):
    """Nobody handles it: the disk is left as a kill leaves it."""


@pytest.mark.parametrize(("stop", "at"), [(KeyboardInterrupt, 0.6), (_Killed, 1.0)])
def test_a_stopped_study_goes_on_to_the_same_figures(stop, at, finished, pair_paths, plan_path, tmp_path, cli: Cli,
                                                     monkeypatch):
    """Stopped within the second cell (after its first epochs, or while it is being judged), then run again."""
    out, trained = tmp_path / "stopped", []
    healthy = study_module.train_cell

    def stopping(cell: Any, segments: Any, excerpt: int, seed: int, folder: Any, watch: Any) -> Any:
        trained.append(cell.id)

        def told(fraction: float, what: str) -> None:
            watch(fraction, what)
            if len(trained) == 2 and fraction >= at and ("judging" in what) == (at == 1.0):
                raise stop

        return healthy(cell, segments, excerpt, seed, folder, told)

    monkeypatch.setattr("neuralpedal.cli.study.cell_training.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(study_module, "train_cell", stopping)
    monkeypatch.setattr("neuralpedal.cli.study.page.write_pages", lambda study, content: None)
    arguments = ["study", "--plan", plan_path, "--out", out, *pair_paths]
    if stop is KeyboardInterrupt:
        code, _, err = cli(*arguments)
        assert code == 130 and "Go on with the same command: neuralpedal study" in err and str(out) in err
    else:
        with pytest.raises(_Killed):
            cli(*arguments)
    assert (out / "cells" / trained[1] / "checkpoint.npz").is_file() and not (out / "study.json").exists()
    first = (out / "cells" / trained[0] / "result.json").read_bytes()

    epochs = []
    run_epoch = FrameTraining.run_epoch
    monkeypatch.setattr(FrameTraining, "run_epoch", lambda self, watch: (
        epochs.append((self.spec.num_layers, self.state.epoch)), run_epoch(self, watch))[1])
    monkeypatch.setattr(study_module, "train_cell", healthy)
    assert cli(*arguments)[0] == 0
    assert _figures(out) == _figures(finished)
    assert (out / "cells" / trained[0] / "result.json").read_bytes() == first
    # The two-layer cell went on where it was instead of beginning anew.
    assert [epoch for layers, epoch in epochs if layers == 2] == ([2] if at < 1.0 else [])


def test_the_folder_of_another_study_is_refused(finished, pair_paths, plan_path, tmp_path, cli: Cli):
    before = (finished / "study.json").read_bytes()
    other = tmp_path / "other.yaml"
    other.write_text(PLAN.replace("segment_seconds: 0.5", "segment_seconds: 0.25"))
    code, _, err = cli("study", "--plan", other, "--out", finished, *pair_paths)
    assert code == 1 and "holds a study of other recordings, or of another length, split or seed" in err
    dry = plucks(4.0, seed=8)
    write_recording(tmp_path / "dry.wav", dry, RATE_HZ)
    write_recording(tmp_path / "wet.wav", soft_clip(dry), RATE_HZ)
    code, _, err = cli("study", "--plan", plan_path, "--out", finished, tmp_path / "dry.wav", tmp_path / "wet.wav")
    assert code == 1 and "choose another --out" in err
    code, _, err = cli("study", "--plan", plan_path, "--out", tmp_path, *pair_paths)
    assert code == 1 and "holds files that are no study's" in err
    assert (finished / "study.json").read_bytes() == before


def test_a_damaged_result_is_named(finished, pair_paths, plan_path, cli: Cli):
    path = finished / "cells" / FIRST / "result.json"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: len(whole) // 2])
        code, _, err = cli("study", "--plan", plan_path, "--out", finished, *pair_paths)
        assert code == 1 and "result.json: damaged" in err and "delete it and run the study again" in err
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(("arguments", "code", "what"), [
    (["--quick", "--plan", "x.yaml"], 2, "give --quick or --plan, not both"),
    (["--plan", "gone.yaml"], 2, "gone.yaml: no such file"),
])
def test_wrong_options_are_usage_errors(arguments, code, what, pair_paths, tmp_path, cli: Cli):
    found, _, err = cli("study", "--out", tmp_path / "out", *pair_paths, *arguments)
    assert found == code and what in err and not (tmp_path / "out").exists()


def test_recordings_that_cannot_be_studied_are_named(pair_paths, plan_path, tmp_path, cli: Cli):
    code, _, err = cli("study", "--plan", plan_path, "--out", tmp_path / "a", tmp_path / "gone.wav", pair_paths[1])
    assert code == 1 and "gone.wav: no such file" in err
    for seconds, rate_hz, what in ((0.8, RATE_HZ, "wanted two segments"),
                                   (4.0, 16_000, "16000 Hz, wanted at least 22050 Hz")):
        dry = plucks(seconds, rate_hz=rate_hz)
        write_recording(tmp_path / "dry.wav", dry, rate_hz)
        write_recording(tmp_path / "wet.wav", soft_clip(dry), rate_hz)
        code, _, err = cli("study", "--plan", plan_path, "--out", tmp_path / str(rate_hz), tmp_path / "dry.wav",
                           tmp_path / "wet.wav")
        assert code == 1 and what in err


def test_help_has_examples(cli: Cli):
    code, out, _ = cli("study", "--help")
    assert code == 0 and "neuralpedal study dry.wav wet.wav --out study --quick" in out
