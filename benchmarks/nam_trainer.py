"""One training with neural-amp-modeler's own trainer, by a chosen clock; run by the Python that has it.

    python benchmarks/nam_trainer.py DRY.wav WET.wav --network NET.json --boundary 7783200 --out DIR --minutes 3 \
        --clock cpu --cores 2

Loss, optimizer, schedule, batch and segment length are the installed version's defaults (packaged configuration and
nam.train.core); the network is given. Its schedule does not depend on the budget, so a run is whole at any time:
DIR/MINUTES.nam is what its trainer would have kept if stopped there, the best network by its own validation after
whole epochs. A second call goes on from the last whole epoch. The last line of stdout is what the run cost, as JSON.

Source: github.com/sdatkinson/neural-amp-modeler (nam/train/full.py, nam/train/core.py).
"""

import argparse
import copy
import inspect
import json
import os
import sys
import time
from importlib import metadata, resources
from pathlib import Path
from typing import Any

# Waiting threads sleep: by the CPU's clock they would pay for spinning.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytorch_lightning as pl
import torch
from nam.train import core, full
from nam.train.lightning_module import LightningModule

from training_clock import add_training_options, cpu_seconds, keep_to_cores, make_clock

BATCH = 16
"""Default of nam.train.core.train."""
EPOCHS = 1_000_000
CHECKPOINT = "whole_epochs.ckpt"


class Budget(pl.Callback):
    """Ends the training when the budget is spent; the time that saving takes is not counted.

    Its state, which goes into checkpoints, is the seconds spent so far by the clock, on the wall and by all cores: what
    an interrupted epoch took is forgotten with it.

    Args:
        options: of the command line. model_config: for another instance of the network.
    """

    def __init__(self, options: argparse.Namespace, model_config: dict[str, Any]) -> None:
        self._options, self._model_config = options, model_config
        self._clocks = (make_clock(options.clock, options.cores), time.monotonic, cpu_seconds)
        self._begun = [clock() for clock in self._clocks]
        self._spent = [0.0, 0.0, 0.0]
        self._epochs = 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of this."""
        return {"spent": self._now(), "epochs": self._epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._spent, self._epochs = list(state["spent"]), state["epochs"]

    def on_train_start(self, trainer: pl.Trainer, module: LightningModule) -> None:
        """The clock starts with the first batch."""
        self._begun = [clock() for clock in self._clocks]

    def on_train_batch_end(self, trainer: pl.Trainer, module: LightningModule, *_: Any) -> None:
        """Look at the clock."""
        if self._now()[0] >= 60.0 * self._options.minutes and not trainer.should_stop:
            self._pause()
            self._export_best(trainer, module)
            trainer.should_stop = True

    def on_validation_end(self, trainer: pl.Trainer, module: LightningModule) -> None:
        """A whole epoch: tell of it. NAM's own callbacks keep its networks."""
        if trainer.sanity_checking or trainer.should_stop:
            return
        self._epochs += 1
        minutes, esr = self._now()[0] / 60.0, float(trainer.callback_metrics["ESR"])
        print(f"nam: {minutes:5.2f} of {self._options.minutes:g} minutes  epoch {self._epochs}  ESR {esr:.5f}",
              file=sys.stderr, flush=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: LightningModule) -> None:
        """Keep where training stands."""
        if trainer.should_stop:
            return
        self._pause()
        path = self._options.out / CHECKPOINT
        trainer.save_checkpoint(path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        self._resume()

    def cost(self) -> dict[str, Any]:
        """What was spent up to the network that was exported."""
        return {"wall_s": self._spent[1], "cpu_s": self._spent[2], "epochs": self._epochs,
                "version": metadata.version("neural-amp-modeler")}

    def _now(self) -> list[float]:
        return [spent + clock() - begun
                for spent, clock, begun in zip(self._spent, self._clocks, self._begun, strict=True)]

    def _pause(self) -> None:
        self._spent = self._now()
        self._resume()

    def _resume(self) -> None:
        self._begun = [clock() for clock in self._clocks]

    def _export_best(self, trainer: pl.Trainer, module: LightningModule) -> None:
        best = trainer.checkpoint_callback.best_model_path
        if best:
            module = LightningModule.load_from_checkpoint(best, **LightningModule.parse_config(
                copy.deepcopy(self._model_config)))
        else:
            module = copy.deepcopy(module)
        module.cpu().eval()
        datasets = trainer.train_dataloader.dataset, trainer.val_dataloaders.dataset
        module.net.sample_rate = datasets[0].sample_rate
        full._handshake_datasets(module, *datasets)
        module.net.export(self._options.out, basename=f"{self._options.minutes:g}")


def data_config(options: argparse.Namespace) -> dict[str, Any]:
    """Training and validation part of one pair, the wet track at the level that nam.train.core trains at."""
    return {"train": {"stop_samples": options.boundary, "ny": core._NY_DEFAULT},
            "validation": {"start_samples": options.boundary, "ny": None, "require_input_pre_silence": None},
            "common": {"x_path": str(options.dry), "y_path": str(options.wet), "delay": 0},
            "joint": [{"name": "nam.data.normalize_joint_dataset_output", "kwargs": {"level_rms_dbfs": -18.0}}]}


def model_config(network: Path) -> dict[str, Any]:
    """The installed version's own loss, optimizer and schedule, around the given network."""
    shipped = resources.files("nam.train._resources").joinpath("config_model_packed.json")
    config: dict[str, Any] = json.loads(shipped.read_text())
    return {**config, "net": {"name": "WaveNet", "config": json.loads(network.read_text())}}


def learning_config(out: Path) -> dict[str, Any]:
    """As nam.train.core has it, with no end of its own, from the last checkpoint."""
    # The checkpoint holds the clock besides weights; older versions of Lightning have no such argument and read it all.
    whole = {"weights_only": False} if "weights_only" in inspect.signature(pl.Trainer.fit).parameters else {}
    resumed = {"trainer_fit_kwargs": {"ckpt_path": str(out / CHECKPOINT), **whole}}
    return {"train_dataloader": {"batch_size": BATCH, "shuffle": True, "drop_last": True, "num_workers": 0},
            "val_dataloader": {},
            "trainer": {"max_epochs": EPOCHS, "accelerator": "cpu", "logger": False, "enable_progress_bar": False},
            **(resumed if (out / CHECKPOINT).exists() else {})}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_training_options(parser)
    parser.add_argument("--network", type=Path, required=True, help="its net configuration, JSON")
    parser.add_argument("--boundary", type=int, required=True, help="first validation sample")
    options = parser.parse_args()
    keep_to_cores(options.cores)
    torch.set_num_threads(options.cores)
    options.out.mkdir(parents=True, exist_ok=True)
    model = model_config(options.network)
    budget = Budget(options, model)
    theirs = full._create_callbacks
    full._create_callbacks = lambda *args, **kwargs: [*theirs(*args, **kwargs), budget]
    torch.manual_seed(options.seed)
    full.main(data_config(options), copy.deepcopy(model), learning_config(options.out), options.out, no_show=True,
              make_plots=False)
    if not (options.out / f"{options.minutes:g}.nam").exists():
        sys.exit(130)  # Interrupted: NAM's trainer ends as if it had finished.
    print(json.dumps(budget.cost()))


if __name__ == "__main__":
    main()
