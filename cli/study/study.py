"""One study from two recordings to a folder: cells one after another, each kept as soon as it is done."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.cli.study.cell_folder import CellFolder
from neuralpedal.cli.study.cell_training import stream_recipe, train_cell
from neuralpedal.cli.study.cost import measure_costs
from neuralpedal.cli.study.estimate import Estimate
from neuralpedal.cli.study.findings import BLOG, findings
from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, TARGETS, Cell, Plan, StreamingCell
from neuralpedal.cli.study.rows import all_rows
from neuralpedal.cli.study.segments import Segments, split_segments
from neuralpedal.cli.study.targets import Target, prepare_targets
from neuralpedal.contract.atomic import make_folder, write_json, write_text
from neuralpedal.contract.errors import OutputError
from neuralpedal.contract.metrics import decibels
from neuralpedal.contract.pair import RecordingPair

FORMAT = 1
COST = "cost"


@dataclass(frozen=True)
class Study:
    """A prepared study: everything that can be wrong with the input was checked.

    Attributes:
        out: the folder. segments: by target. excerpt: number of the test segment that is listened to.
    """

    plan: Plan
    out: Path
    digests: dict[str, str]
    sources: dict[str, str]
    targets: dict[str, Target]
    segments: dict[str, Segments]
    excerpt: int

    def folder(self, cell: Cell | None) -> CellFolder:
        """Of a cell, or of the costs."""
        origin = dict(self.digests)
        if isinstance(cell, StreamingCell):
            # The trainer's defaults change with versions; figures of different ones must not stand side by side.
            origin["recipe"] = stream_recipe(cell, self.plan.seed).model_dump_json()
        return CellFolder(self.out / "cells" / (cell.id if cell else COST), self.plan.fingerprint(cell, origin))

    def missing(self) -> list[Cell]:
        """Cells without a result."""
        return [cell for cell in self.plan.cells if self.folder(cell).result() is None]

    def estimates(self) -> dict[str, float]:
        """Seconds that each missing cell will take here, by its id; half a minute of measuring."""
        estimate = Estimate(next(iter(self.segments.values())))
        return {cell.id: estimate.seconds(cell) for cell in self.missing()}

    def run(self, cell: Cell, watch: Callable[[float, str], None]) -> dict[str, Any]:
        """The result of a cell, trained unless it is there. See :func:`train_cell`."""
        folder = self.folder(cell)
        return folder.result() or train_cell(cell, self.segments[cell.target], self.excerpt, self.plan.seed, folder,
                                             watch)

    def costs(self, watch: Callable[[float], None]) -> list[dict[str, Any]]:
        """What each structure costs to play, measured unless it is there."""
        folder = self.folder(None)
        kept = folder.result()
        wanted = {(cell.spec.family, cell.structure) for cell in self.plan.cells}
        if kept is None or {(row["kind"], row["structure"]) for row in kept["rows"]} != wanted:
            kept = {"rows": measure_costs(self.plan, watch)}
            folder.finish(kept)
        rows: list[dict[str, Any]] = kept["rows"]
        return rows

    def finish(self, results: list[dict[str, Any]], costs: list[dict[str, Any]]) -> dict[str, Any]:
        """Write study.json; its content."""
        rows = all_rows(results, costs)
        content = {
            "format": FORMAT, "plan": self.plan.model_dump(mode="json"), "recordings": {**self.sources, **self.digests},
            "sample_rate_hz": SAMPLE_RATE_HZ, "targets": {name: self._describe(name) for name in self.targets},
            "blog": BLOG, "findings": [finding.as_dict() for finding in findings(rows, costs)],
            "rows": rows, "costs": costs, "cells": results, "machine": _machine(),
        }
        write_json(self.out / "study.json", content)
        return content

    def _describe(self, name: str) -> dict[str, Any]:
        segments = self.segments[name]
        wet = segments.test_wet.astype(np.float64)
        return {"description": TARGETS[name], "train_seconds": len(segments.train_dry) / SAMPLE_RATE_HZ,
                "test_seconds": len(segments.test_wet) / SAMPLE_RATE_HZ, "train_segments": segments.train_numbers,
                "test_dbfs": decibels(float(np.sqrt(np.mean(wet**2)))), "test_segments": segments.test_numbers,
                "excerpt_segment": segments.test_numbers[self.excerpt]}


def prepare_study(pair: RecordingPair, plan: Plan, out: Path, told: Callable[[str], None]) -> Study:
    """Make the folder, the targets and their split.

    Raises:
        RecordingError: too short, too slow a rate, or silent where it matters.
        OutputError: the folder holds the study of other recordings or of another protocol, or cannot be written.
    """
    digests = pair.digests()
    make_folder(out)
    _refuse_foreign_folder(out, plan, digests)
    targets = prepare_targets(pair, plan.targets, plan.seconds, out / "targets", told)
    segments = {name: split_segments(target, plan) for name, target in targets.items()}
    sources = {"dry": pair.dry.path.name, "wet": pair.wet.path.name}
    return Study(plan, out, digests, sources, targets, segments, _loudest(next(iter(segments.values()))))


def _refuse_foreign_folder(out: Path, plan: Plan, digests: dict[str, str]) -> None:
    """A slip in a path must not cost an hour of trainings: they are neither mixed nor overwritten."""
    mark, wanted = out / "protocol.txt", plan.fingerprint(None, digests) + "\n"
    if mark.exists() and mark.read_text("utf-8") != wanted:
        raise OutputError(f"{out}: holds a study of other recordings, or of another length, split or seed; "
                          "choose another --out")
    if not mark.exists():
        if any(out.iterdir()):
            raise OutputError(f"{out}: holds files that are no study's; choose another --out")
        write_text(mark, wanted)


def _loudest(segments: Segments) -> int:
    """The test segment with most playing, by the guitar: it is the same for all targets."""
    energies = np.square(segments.test_dry.reshape(-1, segments.length), dtype=np.float64).sum(axis=1)
    return int(np.argmax(energies))


def _machine() -> dict[str, Any]:
    versions = {name: metadata.version(name) for name in ("neuralpedal", "tensorflow", "keras", "numpy")}
    return {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(), **versions}
