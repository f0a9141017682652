"""The inspect command, and what train, convert and evaluate do with an inspection."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.convert.source import read_source
from neuralpedal.train.networks.model_file import load_model
from neuralpedal.train.recipe import Recipe
from neuralpedal.train.session import prepare_session
from signals import RATE_HZ, plucks, soft_clip

Cli = Callable[..., tuple[int, str, str]]

LATE = 37
RECIPE = Recipe(hidden_size=4, minutes=None, epochs=2, streams=4, chunk_samples=256, chunks_per_segment=4,
                warm_up_samples=256)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A take of five seconds, in step and out of it."""
    folder = tmp_path_factory.mktemp("takes")
    dry = plucks(5.0)
    wet = soft_clip(dry)
    tracks = {"dry": dry, "wet": wet, "early_dry": dry[:-LATE], "early_wet": wet[:-LATE],
              "bad_wet": -np.concatenate([np.zeros(LATE, np.float32), wet])[: len(wet)]}
    for name, samples in tracks.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE_HZ, subtype="FLOAT")
    return {name: folder / f"{name}.wav" for name in tracks}


def test_json_is_flat_but_for_the_problems(cli: Cli, paths: dict[str, Path]) -> None:
    code, out, _ = cli("inspect", paths["dry"], paths["bad_wet"], "--json")
    figures = json.loads(out)
    assert code == 0 and [key for key, value in figures.items() if isinstance(value, list | dict)] == ["problems"]
    assert figures["latency_samples"] == pytest.approx(LATE, abs=0.5) and figures["inverted"] is True
    assert figures["drift_ppm"] == 0.0 and figures["noise_floor_db"] < -40
    assert {"latency", "inverted"} <= {problem["code"] for problem in figures["problems"]}
    assert all(set(problem) == {"code", "severity", "message"} for problem in figures["problems"])


def test_the_table_lists_figures_and_problems_for_people(cli: Cli, paths: dict[str, Path]) -> None:
    code, out, _ = cli("inspect", paths["dry"], paths["bad_wet"])
    assert code == 0 and "latency_samples" in out and "polarity inverted" in out and "train turns it back" in out


def test_an_unusable_pair_exits_1_but_is_reported_whole(cli: Cli, paths: dict[str, Path], tmp_path: Path) -> None:
    dry, _ = soundfile.read(paths["dry"], dtype="float32")
    soundfile.write(tmp_path / "stereo.wav", np.stack([dry, -dry], axis=1), RATE_HZ)
    code, out, _ = cli("inspect", paths["dry"], tmp_path / "stereo.wav", "--json")
    assert code == 1 and "wet_stereo" in out


def test_a_missing_file_is_one_line(cli: Cli, paths: dict[str, Path]) -> None:
    code, out, err = cli("inspect", paths["dry"], "nowhere.wav")
    assert (code, out) == (1, "") and "nowhere.wav: no such file" in err


def test_a_picture_is_drawn(cli: Cli, paths: dict[str, Path], tmp_path: Path) -> None:
    code, _, _ = cli("inspect", paths["dry"], paths["bad_wet"], "--json", "--png", tmp_path / "i.png")
    assert code == 0 and (tmp_path / "i.png").read_bytes().startswith(b"\x89PNG")


def _train(dry: Path, wet: Path, out: Path, align: bool = True) -> None:
    prepare_session(dry, wet, out, RECIPE, align=align).train(lambda progress: None)


@pytest.fixture(scope="module")
def runs(paths: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders: trained on the pair in step, out of step, and out of step with --no-align."""
    folder = tmp_path_factory.mktemp("runs")
    _train(paths["early_dry"], paths["early_wet"], folder / "aligned")
    _train(paths["dry"], paths["bad_wet"], folder / "shifted")
    _train(paths["dry"], paths["bad_wet"], folder / "as-is", align=False)
    return {name: folder / name for name in ("aligned", "shifted", "as-is")}


def test_training_on_a_shifted_and_inverted_pair_equals_training_on_the_aligned_one(runs: dict[str, Path]) -> None:
    digests = {name: load_model(run / "model.keras").network_weights().digest() for name, run in runs.items()}
    assert digests["shifted"] == digests["aligned"] != digests["as-is"]


def test_the_run_folder_says_what_was_found_and_what_was_corrected(runs: dict[str, Path]) -> None:
    training = RunFolder(runs["shifted"]).read_training()
    assert training["data"]["aligned"] == {"latency_samples": LATE, "inverted": True, "drift_ppm": 0.0}
    assert training["inspection"]["inverted"] is True
    assert not any("inverted" in warning for warning in training["data"]["warnings"])
    as_is = RunFolder(runs["as-is"]).read_training()
    assert as_is["data"]["aligned"] == {"latency_samples": 0.0, "inverted": False, "drift_ppm": 0.0}
    assert any("inverted" in warning for warning in as_is["data"]["warnings"])


def test_conversion_measures_on_the_recordings_as_they_were_trained_on(runs: dict[str, Path]) -> None:
    wanted, found = (read_source(runs[name]) for name in ("aligned", "shifted"))
    np.testing.assert_array_equal(found.take.wet, wanted.take.wet)
    np.testing.assert_array_equal(found.take.dry, wanted.take.dry)
    np.testing.assert_array_equal(found.calibration, wanted.calibration)


def test_train_says_what_it_corrected_and_evaluate_what_it_did_not(
    cli: Cli, paths: dict[str, Path], tmp_path: Path
) -> None:
    recipe, run = tmp_path / "small.yaml", tmp_path / "run"
    recipe.write_text(RECIPE.model_dump_json(exclude_none=True))
    code, _, err = cli("train", paths["dry"], paths["bad_wet"], "--out", run, "--recipe", recipe)
    assert code == 0 and f"{LATE} samples late; moved" in err and "polarity inverted; turned back" in err
    code, out, err = cli("evaluate", run, paths["dry"], paths["bad_wet"], "--no-probes", "--json")
    assert code == 0 and "add --align" in err
    code, aligned, err = cli("evaluate", run, paths["dry"], paths["bad_wet"], "--no-probes", "--json", "--align")
    assert code == 0 and "add --align" not in err
    assert json.loads(aligned)["esr"] < 0.5 * json.loads(out)["esr"]
    assert json.loads(aligned)["aligned_latency_samples"] == LATE


def test_a_resumed_training_wants_the_same_alignment(paths: dict[str, Path], runs: dict[str, Path]) -> None:
    more = RECIPE.model_copy(update={"epochs": 3})
    prepare_session(paths["dry"], paths["bad_wet"], runs["shifted"], more, resume=True)
    with pytest.raises(ModelFileError, match="another recipe or other recordings"):
        prepare_session(paths["dry"], paths["bad_wet"], runs["shifted"], more, resume=True, align=False)
