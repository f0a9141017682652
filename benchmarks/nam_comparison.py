"""WaveNets trained side by side with neural-amp-modeler: the same recordings, networks, minutes and cores.

A cell is one trainer, one network and one budget. NAM's trainer runs once per network and is asked at every budget for
what it would keep (its schedule knows no budget); ours, whose schedule stretches over the budget, runs once per cell.
Both networks are judged by `neuralpedal evaluate` on the test take: NAM's exported file is imported. Training minutes
count the training loop with its validations, not the start of the program.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpedal.contract.atomic import make_folder, write_json
from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.pair import read_pair
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.train.importing.nam_wavenet import ACTIVATION_NAMES
from neuralpedal.train.recipe import read_recipe
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec
from sd1 import DATA, neuralpedal
from training_clock import CLOCKS

HERE = Path(__file__).resolve().parent
TRAINERS = ("nam", "ours")
FIGURES = ("esr", "esr_pre_emphasis", "mae")


@dataclass(frozen=True)
class Cell:
    """One training and where it lies.

    Attributes:
        trainer: of ``TRAINERS``. network: its name (network_names.py), for NAM's a preset. minutes: the budget.
    """

    trainer: str
    network: str
    minutes: float

    def path(self, out: Path) -> Path:
        """Its figures, when it is finished."""
        return out / f"{self.trainer}-{self.network}-{self.minutes:g}.json"


class Comparison:
    """Runs the cells that are missing in the folder.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._out: Path = make_folder(options.out)
        self._hold_to_settings()
        pair = read_pair(options.data / "dry_train.flac", options.data / "wet_train.flac")
        self._test = options.data / "dry_test.flac", options.data / "wet_test.flac"
        self._rate_hz = pair.sample_rate_hz
        self._boundary = len(pair.dry.samples) - round(len(pair.dry.samples)
                                                       * read_recipe("standard").validation_share)
        # NAM reads WAV; both trainers get the same files.
        self._pair = self._out / "dry.wav", self._out / "wet.wav"
        for path, track in zip(self._pair, (pair.dry, pair.wet), strict=True):
            if not path.exists():
                write_recording(path, track.samples, pair.sample_rate_hz)

    def run(self, cells: list[Cell]) -> list[dict[str, Any]]:
        """Figures of all cells in order; each is kept in the folder as soon as it is known."""
        rows = []
        for number, cell in enumerate(cells, 1):
            path = cell.path(self._out)
            if not path.exists():
                print(f"[{number}/{len(cells)}] {cell.trainer} {cell.network}, {cell.minutes:g} minutes by the "
                      f"{self._options.clock} clock", file=sys.stderr, flush=True)
                write_json(path, self._measure(cell))
            rows.append(json.loads(path.read_text()))
        return rows

    def _hold_to_settings(self) -> None:
        """Figures of one folder must be comparable."""
        options, path = self._options, self._out / "settings.json"
        settings = {"clock": options.clock, "cores": options.cores, "seed": options.seed,
                    "data": str(options.data.resolve())}
        if not path.exists():
            write_json(path, settings)
        elif (kept := json.loads(path.read_text())) != settings:
            sys.exit(f"{self._out}: holds trainings with {kept}, wanted {settings}; choose another --out")

    def _measure(self, cell: Cell) -> dict[str, Any]:
        folder = make_folder(self._out / f"{cell.trainer}-{cell.network}")
        cost, run = (self._train_nam if cell.trainer == "nam" else self._train_ours)(cell, folder)
        judged = neuralpedal("evaluate", run, *self._test, "--no-probes")
        return {"trainer": cell.trainer, "network": cell.network, "minutes": cell.minutes, "clock": self._options.clock,
                "cores": self._options.cores, "seed": self._options.seed, **cost,
                **{name: judged[name] for name in FIGURES}}

    def _train_nam(self, cell: Cell, folder: Path) -> tuple[dict[str, Any], Path]:
        network = folder / "network.json"
        write_json(network, nam_network(preset_spec(cell.network, self._rate_hz)))
        cost = self._trained(self._options.nam_python, "nam_trainer.py", cell, folder, "--network", network,
                             "--boundary", self._boundary)
        run = folder / f"{cell.minutes:g}"
        neuralpedal("import", folder / f"{cell.minutes:g}.nam", "--out", run, "--overwrite")
        return cost, run

    def _train_ours(self, cell: Cell, folder: Path) -> tuple[dict[str, Any], Path]:
        run = folder / f"{cell.minutes:g}"
        return self._trained(sys.executable, "our_trainer.py", cell, run, "--network", cell.network), run

    def _trained(self, python: str, script: str, cell: Cell, out: Path, *rest: object) -> dict[str, Any]:
        """What a training cost, which is kept: what comes after it may fail or be interrupted.

        A Ctrl-C reaches the training by itself, and it is waited for: it has something to keep.
        """
        kept = self._out / f"{cell.trainer}-{cell.network}" / f"{cell.minutes:g}.cost.json"
        if kept.exists():
            cost: dict[str, Any] = json.loads(kept.read_text())
            return cost
        command = [python, HERE / script, *self._pair, "--out", out, "--minutes", f"{cell.minutes:g}", "--clock",
                   self._options.clock, "--cores", self._options.cores, "--seed", self._options.seed, *rest]
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as process:
            try:
                said, _ = process.communicate()
            except KeyboardInterrupt:
                process.wait()
                raise
        if process.returncode:
            sys.exit(f"{script} failed ({process.returncode}) for {cell.network}, {cell.minutes:g} minutes; "
                     "what went before is kept: call again")
        cost = json.loads(said.splitlines()[-1])
        write_json(kept, cost)
        return cost


def nam_network(spec: WaveNetSpec) -> dict[str, Any]:
    """A network as NAM's trainer is told of it."""
    names = {ours: theirs for theirs, ours in ACTIVATION_NAMES.items()}
    return {"layers_configs": [
        {"input_size": inputs, "condition_size": 1, "channels": array.channels, "dilations": list(array.dilations),
         "kernel_sizes": list(array.kernel_sizes), "activation": names[array.activation], "gated": array.gated,
         "head": {"out_channels": array.head_size, "kernel_size": array.head_kernel_size, "bias": array.head_bias}}
        for array, inputs in zip(spec.arrays, spec.array_input_sizes, strict=True)], "head_scale": spec.head_scale}


def print_rows(rows: list[dict[str, Any]], clock: str, cores: int) -> bool:
    """The table; whether ours is no worse anywhere that both were run."""
    counted = "on the wall" if clock == "wall" else f"of {cores} cores' time (user and system)"
    print(f"test ESR after minutes {counted}")
    print(f"{'network':10} {'minutes':>7} {'NAM':>9} {'ours':>9} {'NAM ÷ ours':>10}")
    reached = True
    for network, minutes in dict.fromkeys((row["network"], row["minutes"]) for row in rows):
        esr = {row["trainer"]: row["esr"] for row in rows if (row["network"], row["minutes"]) == (network, minutes)}
        told = "".join(f" {esr[name]:9.5f}" if name in esr else f" {'':9}" for name in TRAINERS)
        both = f" {esr['nam'] / esr['ours']:10.1f}" if len(esr) == len(TRAINERS) else ""
        print(f"{network:10} {minutes:7g}{told}{both}")
        reached = reached and (len(esr) < len(TRAINERS) or esr["ours"] <= esr["nam"])
    return reached


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this comparison is told."""
    add_training_options(parser)
    parser.add_argument("--nam-python", default=sys.executable, metavar="PATH",
                        help="the Python that has neural-amp-modeler  [this one: pip install 'neuralpedal[nam]']")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["nano", "feather"])
    parser.add_argument("--minutes", nargs="+", type=float, default=[3.0, 8.0, 15.0])
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=list(TRAINERS))


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """What any comparison of trainings is told."""
    parser.add_argument("--out", type=Path, required=True, help="keeps what is finished; call again to go on")
    parser.add_argument("--data", type=Path, default=DATA / "sd1", help="folder of dry_train.flac and so on")
    parser.add_argument("--clock", choices=CLOCKS, default="wall",
                        help="cpu where others use the machine too: time of the cores, not on the wall  [wall]")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")


def run(options: argparse.Namespace) -> None:
    """Run what is missing, print all; exit code 1 where ours is worse."""
    # Short budgets of all networks first: what an interrupted comparison has is then the most telling.
    cells = [Cell(trainer, preset, minutes) for minutes in sorted(options.minutes) for preset in options.presets
             for trainer in options.trainers]
    rows = Comparison(options).run(cells)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    sys.exit(0 if print_rows(rows, options.clock, options.cores) else 1)
