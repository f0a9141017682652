"""A folder of other people's model files as a folder of runs: each on its own, so that a broken one stops no other.

A second call goes on where the first stopped: what was made from the same file, asked for in the same way, is left.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuralpedal.cli.convert_command import built_in_guitar, choose_rounding
from neuralpedal.cli.file_player import FilePlayer
from neuralpedal.cli.weight_rounder import WeightRounder
from neuralpedal.contract.errors import ModelFileError, PedalError, SpecError
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.convert.conversion import REPORT_NAME, convert
from neuralpedal.convert.schemes import check_schemes, schemes_for
from neuralpedal.convert.source import read_source
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import SUFFIXES
from neuralpedal.train.importing.imported_run import OUTCOME, asked, import_file
from neuralpedal.train.importing.model_path import MARK, is_library, model_digest

Row = dict[str, Any]
Told = Callable[[str], None]

PEDALS = "pedals"
"""Folder of a run's .tflite files."""

IMPORTED, ALREADY, REFUSED = "imported", "already there", "refused"
CONVERTED = "converted"

_BLOCK_SAMPLES = 64
_SECONDS_TIMED = 1.0


@dataclass(frozen=True)
class Item:
    """A file, and the run folder that it becomes."""

    path: Path
    run: Path


@dataclass(frozen=True)
class Conversion:
    """How every run is converted.

    Attributes:
        schemes: None for all of its family. dry: to calibrate on, of the network's rate; None for the built-in guitar.
        rounding: see ``convert``.
    """

    schemes: tuple[str, ...] | None = None
    dry: Path | None = None
    rounding: str = "joint"


def find_items(paths: Sequence[Path], out: Path) -> list[Item]:
    """All model files and SavedModels among ``paths`` and in their folders, each with a run folder of its own.

    Runs lie under ``out`` as the files do, under their names without suffix; where two would be one, the suffix is
    part of the name. A single file, or SavedModel, becomes ``out`` itself.

    Raises:
        ModelFileError: a folder without any model file. SpecError: two files that would be one run.
    """
    if len(paths) == 1 and not is_library(paths[0]):
        return [Item(paths[0], out)]
    found: list[tuple[Path, Path]] = []
    for path in paths:
        inside = [file for file in _models_in(path) if out.resolve() not in file.resolve().parents]
        if not inside:
            raise ModelFileError(f"{path}: holds no model file ({', '.join(SUFFIXES)})")
        found += [(file, out / (file.relative_to(path) if is_library(path) else file.name)) for file in inside]
    # A SavedModel has no suffix: what follows a point is part of its name.
    parts = [(file, place.parent, *((place.name, "saved_model") if file.is_dir() else (place.stem, place.suffix[1:])))
             for file, place in dict.fromkeys(found)]
    names = Counter((folder, name) for _, folder, name, _ in parts)
    runs: dict[Path, Path] = {}
    for file, folder, name, suffix in parts:
        run = folder / (name if names[folder, name] == 1 else f"{name}-{suffix}")
        if run in runs:
            raise SpecError(f"{runs[run]} and {file} would both become {run}; import them one by one, or as the folder "
                            "that holds both")
        runs[run] = file
    return [Item(file, run) for run, file in runs.items()]


def _models_in(path: Path) -> list[Path]:
    if not is_library(path):
        return [path]
    found = [file for file in path.rglob("*") if file.is_file()]
    saved = {file.parent for file in found if file.name == MARK}
    return sorted(saved) + sorted(file for file in found if file.suffix.lower() in SUFFIXES
                                  and saved.isdisjoint(file.parents))


def process(item: Item, options: ImportOptions, overwrite: bool, conversion: Conversion | None, told: Told) -> Row:
    """Import one file, convert it if that is asked for, and say how it went; raises nothing but interruptions."""
    row: Row = {"file": str(item.path), "run": None, "format": None, "architecture": None, "sample_rate_hz": None,
                "metadata": {}, "result": REFUSED, "reason": None, "remarks": [], "conversion": None,
                "conversion_reason": None, "esr_float": {}}
    reason = _attempt(lambda: row.update(_import(item, options, overwrite)), item.path)
    if reason is not None:
        return {**row, "reason": reason}
    if conversion is not None:
        reason = _attempt(lambda: row.update(_convert(item.run, conversion, told)), item.run)
        if reason is not None:
            row |= {"conversion": REFUSED, "conversion_reason": reason}
    return row


def _attempt(work: Callable[[], None], path: Path) -> str | None:
    """Why something failed, without the path that the table says already."""
    try:
        work()
    except PedalError as error:
        return str(error).removeprefix(f"{path}: ")
    except Exception as error:  # noqa: BLE001 (a bug in one reader must not cost the rest of a library)
        return f"{type(error).__name__}: {error} (a bug: import this file alone with --debug and report it)"
    return None


def _import(item: Item, options: ImportOptions, overwrite: bool) -> Row:
    content = _current(item, options)
    result = ALREADY if content else IMPORTED
    if content is None or overwrite:
        result, content = IMPORTED, import_file(item.path, item.run, options, overwrite or _is_imported(item.run))
    imported = content["imported"]
    return {"run": str(item.run), "result": result, "sample_rate_hz": content["network"]["sample_rate_hz"],
            **{key: imported[key] for key in ("format", "architecture", "metadata", "remarks")}}


def _current(item: Item, options: ImportOptions) -> Row | None:
    """The content of training.json where the run was made from this very file in this very way."""
    run = RunFolder(item.run)
    if not _is_imported(item.run) or not run.training.is_file() or not item.path.exists():
        return None
    content = run.read_training()
    imported = content["imported"]
    same = imported.get("sha256") == model_digest(item.path) and imported.get("asked") == asked(options)
    return content if same else None


def _is_imported(path: Path) -> bool:
    run = RunFolder(path)
    try:
        return run.is_run() and run.read_training().get("outcome") == OUTCOME
    except ModelFileError:
        # An import that was interrupted between its two files.
        return not run.training.exists() and not run.recipe.exists()


def _convert(path: Path, conversion: Conversion, told: Told) -> Row:
    source = read_source(path, conversion.dry, None, built_in_guitar,
                         lambda spec: check_schemes(conversion.schemes or (), spec))
    schemes = conversion.schemes or schemes_for(source.weights.spec)
    out = path / PEDALS
    report = _converted(out, schemes, source.provenance)
    result = ALREADY
    if report is None:
        rounding = choose_rounding(conversion.rounding, source.weights.spec)
        source = replace(source, rounding=rounding, rounder=WeightRounder(told))
        player, result = FilePlayer(_BLOCK_SAMPLES, _SECONDS_TIMED), CONVERTED
        report = convert(source, schemes, out, player, told).report
    return {"conversion": result, "esr_float": {name: row["esr_float"] for name, row in report["schemes"].items()}}


def _converted(out: Path, schemes: tuple[str, ...], provenance: dict[str, str]) -> Row | None:
    """report.json where all of its files were made of the same weights and audio."""
    try:
        report = json.loads((out / REPORT_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = provenance.items() <= report.get("provenance", {}).items() and set(schemes) <= set(report.get("schemes", {}))
    return report if same and all((out / row["file"]).is_file() for row in report["schemes"].values()) else None
