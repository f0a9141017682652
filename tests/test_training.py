"""Training end to end on four seconds of audio: it learns, repeats itself, stops and goes on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from neuralpedal.contract.any_network import make_network
from neuralpedal.contract.errors import ModelFileError, OutputError, SpecError, TrainingError
from neuralpedal.contract.pair import read_pair
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.contract.weights import random_weights
from neuralpedal.train.checkpoint import TrainingState
from neuralpedal.train.dataset import split_pair
from neuralpedal.train.networks import load_model
from neuralpedal.train.recipe import Recipe, read_recipe
from neuralpedal.train.session import prepare_session
from neuralpedal.train.trainer import Trainer
from neuralpedal.train.weight_grid import on_grid

SMALL = {"hidden_size": 4, "streams": 8, "chunk_samples": 256, "chunks_per_segment": 4, "warm_up_samples": 256}


def _recipe(epochs: int, **fields: Any) -> Recipe:
    return read_recipe(None, epochs=epochs, **{**SMALL, **fields})


FAMILY_FIELDS: dict[str, dict[str, Any]] = {
    "gru": {"family": "gru", "chunk_samples": 128, "warm_up_samples": 64},
    "rnn": {"family": "rnn", "chunk_samples": 128, "warm_up_samples": 64},
    "frame_lstm": {"family": "frame_lstm", "frame_samples": 8, "streams": 32, "chunk_samples": 64,
                   "chunks_per_segment": 1, "warm_up_samples": 7},
    "wavenet": {"family": "wavenet", "preset": "nano", "skip": False, "learning_rate": 2e-2, "warm_up_samples": 512},
}


def _train(paths: tuple[Path, Path], out: Path, recipe: Recipe, **options: bool) -> dict[str, Any]:
    return prepare_session(*paths, out, recipe, **options).train(lambda progress: None)


@pytest.fixture(scope="module")
def twelve_epochs(pair_paths: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run with a validation after every fourth epoch or so."""
    out = tmp_path_factory.mktemp("runs") / "twelve"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neuralpedal.train.trainer.SAMPLES_BETWEEN_VALIDATIONS", 700_000)
        _train(pair_paths, out, _recipe(12))
    return RunFolder(out)


def test_training_learns(twelve_epochs: RunFolder) -> None:
    training = twelve_epochs.read_training()
    history = training["history"]
    assert len(history) == 3
    assert history[-1]["esr_validation"] < 0.5 * history[0]["esr_validation"]
    assert training["esr_validation"] == min(row["esr_validation"] for row in history)


def test_a_budget_in_minutes_is_counted_by_the_clock_that_was_given(
    pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    batches, seconds = [], 0.0

    def watch(progress: Any) -> None:
        nonlocal seconds
        batches.append(progress.fraction)
        seconds += 20.0

    recipe = read_recipe(None, minutes=1.0, **SMALL)
    training = prepare_session(*pair_paths, tmp_path / "clocked", recipe, clock=lambda: seconds).train(watch)
    assert batches == pytest.approx([0.0, 1 / 3, 2 / 3])
    assert training["history"][-1]["elapsed_s"] == 60.0


def test_the_run_folder_says_everything(twelve_epochs: RunFolder, pair_paths: tuple[Path, Path]) -> None:
    training = twelve_epochs.read_training()
    assert training["outcome"] == "finished"
    assert training["data"]["dry"] == str(pair_paths[0])
    assert training["data"]["dry_sha256"] == read_pair(*pair_paths).dry.digest()
    assert training["network"]["hidden_size"] == 4 and training["num_parameters"] == 4 * 4 * 6 + 5
    assert set(training["versions"]) == {"python", "neuralpedal", "tensorflow", "keras", "numpy"}
    assert training["wall_time_s"] > 0 and training["seed"] == 0
    assert read_recipe(twelve_epochs.recipe) == _recipe(12)


def test_the_kept_model_has_the_validation_figures_that_are_written(
    twelve_epochs: RunFolder, pair_paths: tuple[Path, Path]
) -> None:
    from neuralpedal.contract.metrics import esr

    training = twelve_epochs.read_training()
    split = split_pair(read_pair(*pair_paths), 0.1)
    prediction = load_model(twelve_epochs.model).process(np.concatenate([split.train_dry, split.validation_dry]))
    measured = esr(split.validation_wet, prediction[split.boundary :])
    assert training["validation"]["esr"] == pytest.approx(measured, rel=1e-3)
    assert training["esr_validation"] == pytest.approx(measured, rel=2e-2)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _train(pair_paths, tmp_path / name, _recipe(2, seed=seed))
    a, b, c = (load_model(tmp_path / name / "model.keras").network_weights().digest() for name in "abc")
    assert a == b != c


def test_a_resumed_training_equals_one_that_was_never_interrupted(
    pair_paths: tuple[Path, Path], tmp_path: Path, twelve_epochs: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralpedal.train.trainer.SAMPLES_BETWEEN_VALIDATIONS", 700_000)
    session = prepare_session(*pair_paths, tmp_path / "run", _recipe(12))

    def stop(progress: Any) -> None:
        if progress.epoch == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.train(stop)
    run = RunFolder(tmp_path / "run")
    interrupted = run.read_training()
    assert interrupted["outcome"] == "interrupted" and interrupted["validation"]["esr"] > 0
    _train(pair_paths, run.path, _recipe(12), resume=True)
    assert run.read_training()["outcome"] == "finished"
    resumed, uninterrupted = (load_model(folder.model).network_weights() for folder in (run, twelve_epochs))
    assert resumed.digest() == uninterrupted.digest()


@pytest.mark.parametrize("family", FAMILY_FIELDS)
def test_every_family_learns_and_its_run_folder_says_what_it_is(
    family: str, pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = _recipe(2, **FAMILY_FIELDS[family])
    training = _train(pair_paths, tmp_path / "run", recipe)
    assert training["validation"]["esr"] < 0.5 and training["int8_weights"]
    model = load_model(tmp_path / "run" / "model.keras")
    assert model.spec == make_network(**training["network"]) == recipe.network(48_000)
    assert training["num_parameters"] == model.count_params()
    assert read_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    for weight, is_matrix in zip(model.get_weights(), model.is_matrix, strict=True):
        if is_matrix:
            np.testing.assert_allclose(on_grid(tf.constant(weight)), weight, rtol=1e-6)


@pytest.mark.parametrize("family", ["gru", "frame_lstm", "wavenet"])
def test_a_resumed_training_of_another_family_equals_one_that_was_never_interrupted(
    family: str, pair_paths: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralpedal.train.trainer.SAMPLES_BETWEEN_VALIDATIONS", 1)
    monkeypatch.setattr("neuralpedal.train.trainer.VALIDATION_WARM_UP_SAMPLES", 64)
    fields = {**FAMILY_FIELDS[family], "streams": 64}

    def stop(progress: Any) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_session(*pair_paths, tmp_path / "run", _recipe(3, **fields)).train(stop)
    _train(pair_paths, tmp_path / "run", _recipe(3, **fields), resume=True)
    _train(pair_paths, tmp_path / "whole", _recipe(3, **fields))
    resumed, whole = (load_model(tmp_path / name / "model.keras").network_weights() for name in ("run", "whole"))
    assert resumed.digest() == whole.digest()


def test_a_training_that_is_killed_in_the_middle_of_an_epoch_goes_on_from_there(
    pair_paths: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(3, streams=2)
    _train(pair_paths, tmp_path / "whole", recipe)
    monkeypatch.setattr("neuralpedal.train.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    session = prepare_session(*pair_paths, tmp_path / "run", recipe)
    places: list[tuple[int, int]] = []

    class KilledError(Exception):
        """A process that is killed writes nothing more."""

    def kill(progress: Any) -> None:
        state = session.trainer.state
        places.append((state.epoch, state.batch))
        if state.batch == 7 and state.epoch == 1:
            raise KilledError

    with pytest.raises(KilledError):
        session.train(kill)
    resumed = prepare_session(*pair_paths, tmp_path / "run", recipe, resume=True)
    assert (resumed.trainer.state.epoch, resumed.trainer.state.batch) == places[-2] == (1, 6)
    resumed.train(lambda progress: None)
    weights = [load_model(tmp_path / name / "model.keras").network_weights().digest() for name in ("run", "whole")]
    assert weights[0] == weights[1]


def test_ctrl_c_loses_no_batch(pair_paths: tuple[Path, Path], tmp_path: Path) -> None:
    session = prepare_session(*pair_paths, tmp_path / "run", _recipe(50))
    batches = session.trainer._sampler.batches_per_epoch

    def stop(progress: Any) -> None:
        if session.trainer.state.epoch == 1 and session.trainer.state.batch == batches // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.train(stop)
    resumed = prepare_session(*pair_paths, tmp_path / "run", _recipe(50), resume=True)
    assert (resumed.trainer.state.epoch, resumed.trainer.state.batch) == (1, batches // 2)


def test_an_interrupt_before_the_first_validation_still_keeps_a_model(
    pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    session = prepare_session(*pair_paths, tmp_path / "run", _recipe(50))
    seen = []

    def stop(progress: Any) -> None:
        seen.append(progress)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.train(stop)
    assert load_model(tmp_path / "run" / "model.keras").spec.hidden_size == 4


def test_ctrl_c_on_the_command_line_keeps_the_best_and_exits_130_and_kill_9_can_be_resumed(
    pair_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text("\n".join(f"{key}: {value}" for key, value in {**SMALL, "epochs": 100_000}.items()))
    out = tmp_path / "run"
    command = [sys.executable, "-c", "import sys; import neuralpedal.train.trainer as t; "
               "t.SAMPLES_BETWEEN_VALIDATIONS = 1; from neuralpedal.cli.main import main; main(sys.argv[1:])",
               "train", *map(str, pair_paths), "--out", str(out), "--recipe", str(recipe)]

    def run_until_checkpoint(arguments: list[str], stop: signal.Signals) -> int:
        before = (out / "checkpoint.npz").stat().st_mtime_ns if (out / "checkpoint.npz").exists() else 0
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not ((out / "checkpoint.npz").exists() and (out / "checkpoint.npz").stat().st_mtime_ns > before):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(stop)
        return process.wait(timeout=120)

    assert run_until_checkpoint(command, signal.SIGKILL) == -signal.SIGKILL
    assert load_model(out / "model.keras").spec.hidden_size == 4
    killed_at = json.loads((out / "training.json").read_text())["epochs"]
    assert run_until_checkpoint([*command, "--resume"], signal.SIGINT) == 130
    training = json.loads((out / "training.json").read_text())
    assert training["outcome"] == "interrupted" and training["epochs"] > killed_at


def test_a_loss_that_is_no_number_is_rolled_back_at_half_the_rate(pair_paths: tuple[Path, Path]) -> None:
    split = split_pair(read_pair(*pair_paths), 0.1)
    recipe = _recipe(2)
    trainer = Trainer(recipe, recipe.network(48_000), split, "dry.wav")
    healthy, calls = trainer._update, []

    def poisoned(dry: Any, wet: Any, states: Any) -> Any:
        calls.append(1)
        return healthy(dry * np.nan if len(calls) == 4 else dry, wet, states)

    trainer._update = poisoned
    trainer.run(lambda progress: None, lambda state: None)
    assert trainer.state.learning_rate_scale == 0.5
    assert np.isfinite(trainer.state.best_esr)
    trainer.best_model().network_weights()


def test_a_network_that_derails_goes_back_to_its_best_and_on_at_half_the_rate(
    pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralpedal.train.trainer.SAMPLES_BETWEEN_VALIDATIONS", 1)
    recipe = _recipe(6, int8_weights_from=1.0)
    trainer = Trainer(recipe, recipe.network(48_000), split_pair(read_pair(*pair_paths), 0.1), "dry.wav")
    esrs: list[float] = []

    def throw_off(state: TrainingState) -> None:
        esrs.append(state.best_esr)
        if len(esrs) == 3:
            trainer.model.assign(random_weights(trainer.model.spec, seed=5, scale=9.0))

    trainer.run(lambda progress: None, throw_off)
    assert trainer.state.learning_rate_scale == 0.5
    assert len(trainer.state.history) == 5, "the derailed validation leaves no row"
    assert max(row["esr_validation"] for row in trainer.state.history[3:]) < 2 * esrs[2]


def test_a_training_that_never_gives_a_number_says_so(pair_paths: tuple[Path, Path], tmp_path: Path) -> None:
    session = prepare_session(*pair_paths, tmp_path / "run", _recipe(1, int8_weights_from=1.0))
    healthy = session.trainer._update
    session.trainer._update = lambda dry, wet, states: healthy(dry * np.nan, wet, states)
    session.trainer._predict = lambda dry: dry * np.nan
    with pytest.raises(TrainingError, match="never gave a finite ESR"):
        session.train(lambda progress: None)
    assert not (tmp_path / "run" / "model.keras").exists()


def test_a_run_is_not_overwritten_unasked(pair_paths: tuple[Path, Path], twelve_epochs: RunFolder) -> None:
    before = twelve_epochs.model.read_bytes()
    with pytest.raises(OutputError, match="--overwrite"):
        prepare_session(*pair_paths, twelve_epochs.path, _recipe(1))
    assert twelve_epochs.model.read_bytes() == before


def test_resuming_with_another_recipe_recording_or_spent_budget_is_refused(
    pair_paths: tuple[Path, Path], twelve_epochs: RunFolder, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match="12 of 12 epochs"):
        prepare_session(*pair_paths, twelve_epochs.path, _recipe(12), resume=True)
    with pytest.raises(ModelFileError, match="another recipe"):
        prepare_session(*pair_paths, twelve_epochs.path, _recipe(20, seed=9), resume=True)
    with pytest.raises(ModelFileError, match="another recipe or other recordings"):
        prepare_session(pair_paths[0], pair_paths[0], twelve_epochs.path, _recipe(20), resume=True)
    with pytest.raises(ModelFileError, match="nothing to resume"):
        prepare_session(*pair_paths, tmp_path / "new", _recipe(20), resume=True)


def test_a_damaged_checkpoint_is_named(pair_paths: tuple[Path, Path], tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    _train(pair_paths, run.path, _recipe(1))
    whole = run.checkpoint.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"x" * 100):
        run.checkpoint.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"checkpoint\.npz: damaged"):
            prepare_session(*pair_paths, run.path, _recipe(2), resume=True)
