"""One training from two files to a run folder, interruptible at any moment.

The folder is complete after every validation: ``model.keras`` is the best network so far, ``training.json`` says how
far it came, ``checkpoint.npz`` is where ``--resume`` goes on (written once a minute as well).
"""

import hashlib
import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.atomic import make_folder, write_json
from neuralpedal.contract.errors import OutputError, SpecError
from neuralpedal.contract.metrics import all_metrics
from neuralpedal.contract.pair import RecordingPair, read_pair
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.train.checkpoint import TrainingState, read_checkpoint, write_checkpoint
from neuralpedal.train.dataset import Split, split_pair
from neuralpedal.train.inspection.correction import CORRECTED_CODES, corrections
from neuralpedal.train.inspection.problem import INFO
from neuralpedal.train.inspection.report import Inspection, inspect_pair
from neuralpedal.train.networks.model_file import save_model
from neuralpedal.train.networks.network_model import NetworkModel
from neuralpedal.train.recipe import Recipe
from neuralpedal.train.trainer import Clock, Trainer, Watcher, validation_warm_up

_BUDGET_FIELDS = {"minutes", "epochs"}


@dataclass
class TrainingSession:
    """A prepared training: everything that can be wrong was checked before the first step.

    Attributes:
        pair: the recordings, as they are trained on.
        inspection: of the recordings as they were read.
        alignment: how ``pair`` differs from them.
        run: the folder.
    """

    recipe: Recipe
    pair: RecordingPair
    run: RunFolder
    split: Split
    trainer: Trainer
    fingerprint: str
    digests: dict[str, str]
    inspection: Inspection
    alignment: Alignment

    @property
    def corrections(self) -> list[str]:
        """What was done to the wet track, a sentence each."""
        return corrections(self.alignment, str(self.pair.wet.path))

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the recordings and was not corrected."""
        said = {"copy"} if self.alignment.is_identity else {"copy", *CORRECTED_CODES}
        return [*self.pair.warnings, *(problem.message for problem in self.inspection.problems
                                       if problem.severity != INFO and problem.code not in said)]

    def train(self, watch: Watcher) -> dict[str, Any]:
        """Train to the end of the budget; the content of training.json.

        Ctrl-C keeps the best network so far and raises KeyboardInterrupt after writing the folder.
        """
        self.recipe.write(self.run.recipe)
        try:
            self.trainer.run(watch, self._save)
        except KeyboardInterrupt:
            self._finish("interrupted")
            write_checkpoint(self.run.checkpoint, self.trainer.state, self.fingerprint)
            raise
        return self._finish("finished")

    def _save(self, state: TrainingState) -> None:
        """The checkpoint always, the model when a validation found a new best."""
        if self.trainer.improved:
            save_model(self.trainer.best_model(), self.run.model)
        # The checkpoint comes last: where it stands, all that a killed training leaves behind is there.
        self._write_training("running", None)
        write_checkpoint(self.run.checkpoint, state, self.fingerprint)

    def _finish(self, outcome: str) -> dict[str, Any]:
        model = self.trainer.best_model()
        save_model(model, self.run.model)
        return self._write_training(outcome, _validation_metrics(model, self.split))

    def _write_training(self, outcome: str, metrics: dict[str, float] | None) -> dict[str, Any]:
        state = self.trainer.state
        content = {
            "outcome": outcome,
            "network": self.trainer.model.spec.model_dump(mode="json"),
            "num_parameters": self.trainer.model.spec.num_parameters,
            "int8_weights": state.on_grid,
            "esr_validation": state.best_esr if np.isfinite(state.best_esr) else None,
            "validation": metrics,
            "epochs": state.epoch,
            "wall_time_s": round(state.elapsed_s, 3),
            "seed": self.recipe.seed,
            "data": self._data(),
            "inspection": self.inspection.to_json(),
            "recipe": self.recipe.model_dump(mode="json"),
            "history": state.history,
            "versions": _versions(),
            "kernel": self.trainer.kernel,
            "machine": {"system": platform.platform(), "cores": os.cpu_count()},
            "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        write_json(self.run.training, content)
        return content

    def _data(self) -> dict[str, Any]:
        return {
            "dry": str(self.pair.dry.path.resolve()), "wet": str(self.pair.wet.path.resolve()), **self.digests,
            "sample_rate_hz": self.pair.sample_rate_hz, "seconds": round(self.pair.dry.seconds, 3),
            "aligned": self.alignment.model_dump(mode="json"), "corrections": self.corrections,
            "validation_starts_at_sample": self.split.boundary,
            "warnings": self.warnings,
        }


def prepare_session(dry: Path, wet: Path, out: Path, recipe: Recipe, resume: bool = False,
                    overwrite: bool = False, align: bool = True, clock: Clock = time.monotonic) -> TrainingSession:
    """Read, inspect and check everything; nothing is written but the folder itself.

    Args:
        align: correct latency, polarity and drift of the wet track where they are sure.
        clock: what a budget in minutes is counted by, in seconds.

    Raises:
        RecordingError: the recordings cannot be used.
        SpecError: the network is impossible, or there is nothing left to resume.
        OutputError: the folder holds a run already (and neither ``resume`` nor ``overwrite``), or cannot be made.
        ModelFileError: the checkpoint is missing, damaged or of another training.
    """
    run = RunFolder(Path(out))
    pair = read_pair(dry, wet)
    spec = recipe.network(pair.sample_rate_hz)
    split_pair(pair, recipe.validation_share)
    if (run.is_run() or run.checkpoint.exists()) and not (resume or overwrite):
        raise OutputError(f"{run.path}: holds a run already; go on with --resume, replace it with --overwrite, "
                          "or choose another --out")
    inspection = inspect_pair(pair, recipe.validation_share)
    alignment = inspection.alignment if align else Alignment()
    pair = alignment.apply(pair)
    split = split_pair(pair, recipe.validation_share)
    digests = pair.digests()
    fingerprint = _fingerprint(recipe, digests, alignment)
    state = read_checkpoint(run.checkpoint, fingerprint) if resume else None
    if state:
        _check_budget_left(recipe, state, run)
    make_folder(run.path)
    _check_writable(run.path)
    if overwrite:
        run.checkpoint.unlink(missing_ok=True)
    trainer = Trainer(recipe, spec, split, str(pair.dry.path), state, clock)
    return TrainingSession(recipe, pair, run, split, trainer, fingerprint, digests, inspection, alignment)


def _check_budget_left(recipe: Recipe, state: TrainingState, run: RunFolder) -> None:
    done, wanted, unit = ((state.elapsed_s / 60, recipe.minutes, "minutes") if recipe.minutes
                          else (state.epoch, recipe.epochs, "epochs"))
    assert wanted
    if done >= wanted:
        raise SpecError(f"{run.path}: has trained {done:.3g} of {wanted:.3g} {unit} already; "
                        f"give --{unit} a larger number to go on")


def _check_writable(folder: Path) -> None:
    """Five minutes of training must not end in a permission error."""
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder}: not writable; choose another --out")


def _fingerprint(recipe: Recipe, digests: dict[str, str], alignment: Alignment) -> str:
    """Which training a checkpoint belongs to: recipe without its budget, both recordings and how they are aligned."""
    # Without fields that are None: a field that a later version adds must not end yesterday's training.
    fields = recipe.model_dump_json(exclude=_BUDGET_FIELDS, exclude_none=True)
    aligned = "" if alignment.is_identity else alignment.model_dump_json()
    return hashlib.sha256((fields + digests["dry_sha256"] + digests["wet_sha256"] + aligned).encode()).hexdigest()


def _validation_metrics(model: NetworkModel, split: Split) -> dict[str, float]:
    """All metrics over the validation part, streamed in order, the state brought up by what precedes it."""
    before = split.train_dry[-validation_warm_up(model.spec):]
    prediction = model.process(np.concatenate([before, split.validation_dry]))[len(before):]
    return all_metrics(split.validation_wet, prediction)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "neuralpedal": metadata.version("neuralpedal"),
            "tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
