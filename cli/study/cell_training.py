"""Trains one cell, judges its network at the epochs of the plan, and may be stopped at any moment.

Everything is repeatable: with the same recordings and plan a cell gives the same figures, interrupted or not.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from neuralpedal.cli.study.cell_folder import CellFolder
from neuralpedal.cli.study.judgement import Play, Track, judge
from neuralpedal.cli.study.plan import Cell, FrameCell, StreamingCell
from neuralpedal.cli.study.segments import Segments
from neuralpedal.contract.atomic import make_folder
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.train.checkpoint import TrainingState, read_checkpoint, write_checkpoint
from neuralpedal.train.dataset import Split
from neuralpedal.train.frame_training import FrameTraining, draw_frames
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.networks.model_file import build_model, save_model
from neuralpedal.train.networks.pedal_model import PedalModel
from neuralpedal.train.recipe import Recipe, read_recipe
from neuralpedal.train.trainer import Progress, Trainer

Watch = Callable[[float, str], None]
"""Told the fraction of the cell that is done, and what is going on."""

SECONDS_BETWEEN_CHECKPOINTS = 10.0
_VALIDATION_SHARE = 0.1


def train_cell(cell: Cell, segments: Segments, excerpt: int, seed: int, folder: CellFolder,
               watch: Watch) -> dict[str, Any]:
    """Train, judge and keep one cell; what its folder's result.json holds.

    Args:
        excerpt: number of the test segment whose audio is kept.

    Raises:
        TrainingError: the network never gave a number. OutputError: the folder cannot be written.
    """
    make_folder(folder.path)
    judge_at = _Judge(cell, segments, excerpt, folder, watch)
    if isinstance(cell, FrameCell):
        training = _train_frames(cell, segments, seed, folder, judge_at, watch)
    else:
        assert isinstance(cell, StreamingCell)
        training = _train_stream(cell, segments, seed, folder, judge_at, watch)
    result = {"id": cell.id, "kind": cell.spec.family, "target": cell.target, "structure": cell.structure,
              "num_parameters": cell.spec.num_parameters, "macs_per_sample": cell.macs_per_sample,
              "frames": cell.frames if isinstance(cell, FrameCell) else None,
              **training, "judged": judge_at.all()}
    folder.finish(result)
    return result


class _Judge:
    """Judges the networks of one cell, each once."""

    def __init__(self, cell: Cell, segments: Segments, excerpt: int, folder: CellFolder, watch: Watch) -> None:
        self._cell, self._segments, self._folder, self._watch = cell, segments, folder, watch
        self._excerpt = slice(excerpt * segments.length, (excerpt + 1) * segments.length)

    def is_due(self, epochs: int) -> int | None:
        """The largest number of epochs in the plan that was reached and not judged yet."""
        due = [wanted for wanted in self._cell.epochs if wanted <= epochs and self._folder.judged(wanted) is None]
        return due[-1] if due else None

    def __call__(self, wanted: int, epochs: int, model: PedalModel, fraction: float) -> None:
        """Judge ``model``, trained for ``epochs``, as the one after ``wanted``."""
        with suppress(KernelUnavailableError):  # slower without it, that is all
            model.use_native()
        begun = time.monotonic()
        figures, played = judge(_one_shot(model), self._segments,
                                lambda done: self._watch(fraction, f"judging after {epochs} epochs  {done:4.0%}"))
        save_model(model, self._folder.model(wanted))
        self._folder.keep_judgement(wanted, {"epochs": epochs, "planned_epochs": wanted, **figures,
                                             "judging_seconds": round(time.monotonic() - begun, 3)},
                                    played[self._excerpt])

    def all(self) -> list[dict[str, Any]]:
        """What was found out, by epochs; those that a short take reached together are there once."""
        found = [self._folder.judged(wanted) for wanted in self._cell.epochs]
        return [figures for figures in found if figures is not None]


def _one_shot(model: PedalModel) -> Play:
    """The model as one graph: for frames three times as fast as streaming them, with the same result."""
    signature = [tf.TensorSpec((1, None, 1), tf.float32)]
    run = tf.function(lambda track: model(track), input_signature=signature, autograph=False)

    def play(samples: Track) -> Track:
        wet: Track = run(samples[np.newaxis, :, np.newaxis]).numpy()[0, :, 0]
        return wet

    return play


def _train_frames(cell: FrameCell, segments: Segments, seed: int, folder: CellFolder, judge_at: _Judge,
                  watch: Watch) -> dict[str, Any]:
    frames = draw_frames(segments.train_dry, segments.train_wet, segments.length, cell.frame, cell.frames, seed)
    training = FrameTraining(cell.spec, frames, seed, _kept_state(folder))
    last = cell.epochs[-1]
    _judge_frames(training, judge_at, last)
    saved = time.monotonic()
    try:
        while training.state.epoch < last:
            done = training.state.epoch
            training.run_epoch(lambda part, done=done: watch(  # type: ignore[misc]
                (done + part) / last, f"epoch {done + 1} of {last}"))
            # Before judging, which takes longer than many an epoch.
            if (judge_at.is_due(training.state.epoch) is not None
                    or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS):
                write_checkpoint(folder.checkpoint, training.state, folder.fingerprint)
                saved = time.monotonic()
            _judge_frames(training, judge_at, last)
    except KeyboardInterrupt:
        if training.state.epoch:
            write_checkpoint(folder.checkpoint, training.state, folder.fingerprint)
        raise
    return {"kernel": training.kernel, "training_seconds": round(training.state.elapsed_s, 3),
            "history": training.state.history}


def _judge_frames(training: FrameTraining, judge_at: _Judge, last: int) -> None:
    epochs = training.state.epoch
    wanted = judge_at.is_due(epochs)
    if wanted is not None:
        model = build_model(training.spec)
        model.assign(training.weights())
        judge_at(wanted, epochs, model, epochs / last)


def stream_recipe(cell: StreamingCell, seed: int) -> Recipe:
    """How our trainer trains a cell: as `train` does, but for the budget.

    Weights stay free: a grid of int8 is a question that the study does not ask.
    """
    return read_recipe(None, hidden_size=cell.units, num_layers=cell.layers, epochs=cell.epochs[-1], seed=seed,
                       int8_weights_from=1.0)


def _train_stream(cell: StreamingCell, segments: Segments, seed: int, folder: CellFolder, judge_at: _Judge,
                  watch: Watch) -> dict[str, Any]:
    trainer = Trainer(stream_recipe(cell, seed), cell.spec, _split(segments), cell.id, _kept_state(folder))

    def judge_if_due(state: TrainingState) -> None:
        # After validations alone: checkpoints between them come by the clock, and results must not depend on that.
        if state.batch or not state.history or state.history[-1]["epoch"] != state.epoch:
            return
        wanted = judge_at.is_due(state.epoch)
        if wanted is not None:
            judge_at(wanted, state.epoch, trainer.best_model(), state.epoch / cell.epochs[-1])

    def keep(state: TrainingState) -> None:
        write_checkpoint(folder.checkpoint, state, folder.fingerprint)
        judge_if_due(state)

    def told(progress: Progress) -> None:
        watch(progress.fraction, f"epoch {progress.epoch + 1} of {cell.epochs[-1]}")

    # An earlier session may have been stopped while it was judging.
    judge_if_due(trainer.state)
    trainer.run(told, keep)
    return {"kernel": trainer.kernel, "training_seconds": round(trainer.state.elapsed_s, 3),
            "history": trainer.state.history}


def _split(segments: Segments) -> Split:
    """For our trainer: it validates on the last training segments, never on the test set."""
    whole = len(segments.train_dry)
    boundary = whole - max(1, round(whole * _VALIDATION_SHARE))
    return Split(segments.train_dry[:boundary], segments.train_wet[:boundary], segments.train_dry[boundary:],
                 segments.train_wet[boundary:], boundary)


def _kept_state(folder: CellFolder) -> TrainingState | None:
    """Where the cell stopped; a checkpoint that cannot be used costs the cell's training, not the study."""
    path: Path = folder.checkpoint
    try:
        return read_checkpoint(path, folder.fingerprint) if path.exists() else None
    except ModelFileError:
        path.unlink()
        return None
