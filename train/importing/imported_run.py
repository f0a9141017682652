"""Writes a capture as a run folder, which all further stages take for one that was trained here."""

import json
import math
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from neuralpedal.contract.atomic import make_folder, write_json
from neuralpedal.contract.errors import OutputError
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.train.importing.capture import Capture, ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.importing.golden_check import check_golden
from neuralpedal.train.importing.model_path import model_digest
from neuralpedal.train.networks.model_file import build_model, save_model
from neuralpedal.train.networks.network_model import NetworkModel

OUTCOME = "imported"
_LARGEST_METADATA = 100_000


def import_file(path: Path, out: Path, options: ImportOptions, overwrite: bool = False) -> dict[str, Any]:
    """Read a file of any format and write it as a run folder; the content of its training.json.

    Raises:
        ModelFileError: see ``read_capture``; or the file's own test fails.
        SpecError: a knob without a setting. OutputError: ``out`` holds a run already, or cannot be written.
    """
    run = RunFolder(Path(out))
    if run.is_run() and not overwrite:
        raise OutputError(f"{run.path}: holds a run already; replace it with --overwrite, or choose another --out")
    capture, golden_error = check_golden(read_capture(path, options), options.force)
    content = _training(capture, golden_error, options)
    make_folder(run.path)
    for stale in (run.training, run.recipe, run.checkpoint, run.picture):
        stale.unlink(missing_ok=True)
    model: NetworkModel = build_model(capture.weights.spec)
    model.assign(capture.weights)
    save_model(model, run.model)
    # Last, so that a folder with training.json is whole.
    write_json(run.training, content)
    return content


def asked(options: ImportOptions) -> dict[str, Any]:
    """The options as training.json keeps them."""
    return {"sample_rate_hz": options.sample_rate_hz, "knobs": options.knobs, "force": options.force}


def _training(capture: Capture, golden_error: float | None, options: ImportOptions) -> dict[str, Any]:
    remarks = list(capture.remarks)
    if capture.output_gain_db:
        louder = "louder" if capture.output_gain_db > 0 else "quieter"
        remarks.append(f"is {abs(capture.output_gain_db):.3g} dB {louder} than the network alone: convert and export "
                       "write that gain into their files, the run itself plays without it")
    spec = capture.weights.spec
    return {
        "outcome": OUTCOME,
        "network": spec.model_dump(mode="json"),
        "num_parameters": spec.num_parameters,
        "imported": {
            "file": str(capture.path.resolve()), "sha256": model_digest(capture.path), "format": capture.kind,
            "architecture": capture.architecture, "asked": asked(options),
            "metadata": _bounded(capture.metadata), "knobs": capture.knobs, "output_gain_db": capture.output_gain_db,
            "has_initial_state": capture.weights.initial_state is not None,
            "golden_samples": 0 if capture.golden is None else len(capture.golden.dry), "golden_error": golden_error,
            "remarks": remarks,
        },
        "versions": {"neuralpedal": metadata.version("neuralpedal")},
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _bounded(value: Any) -> Any:
    """Metadata as JSON that all readers accept: no NaN, and nothing where it is too much."""
    try:
        clean = json.loads(json.dumps(value), parse_constant=lambda name: None, parse_float=_finite)
        return clean if len(json.dumps(clean)) <= _LARGEST_METADATA else {}
    except (TypeError, ValueError, RecursionError):
        return {}


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
