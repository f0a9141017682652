"""Writes a run as a file of another format."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuralpedal.contract.atomic import write_json
from neuralpedal.contract.errors import OutputError, SpecError
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.train.exporting.aidax import aidax_content
from neuralpedal.train.exporting.guitarml import guitarml_content
from neuralpedal.train.exporting.layout import Exported, flat_metadata
from neuralpedal.train.exporting.nam import nam_content
from neuralpedal.train.networks.model_file import load_model

FORMATS: dict[str, tuple[str, Callable[[Exported], dict[str, Any]]]] = {
    "nam": (".nam", nam_content), "aidax": (".aidax", aidax_content), "guitarml": (".json", guitarml_content),
}
"""Suffix and writer by name."""


def export_run(path: Path, format_name: str, out: Path | None = None, overwrite: bool = False,
               zero_state: bool = False) -> dict[str, Any]:
    """Write a run folder, or a bare ``.keras``, in a format; what was written, for people and machines.

    Args:
        out: NAME with the format's suffix in the present folder if None.
        zero_state: the file begins in zero state where the network has another.

    Raises:
        SpecError: an unknown format, or a network that it cannot say. ModelFileError: no run there.
        OutputError: the file is there already, or cannot be written.
    """
    if format_name not in FORMATS:
        raise SpecError(f"format {format_name!r}: not one of {', '.join(FORMATS)}")
    exported = read_exported(path)
    suffix, make = FORMATS[format_name]
    target = out or Path(exported.name + suffix)
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: is there already; replace it with --overwrite, or choose another --out")
    if zero_state:
        exported = replace(exported, weights=replace(exported.weights, initial_state=None))
    write_json(target, make(exported))
    spec = exported.weights.spec
    return {"file": str(target), "format": format_name, "network": spec.model_dump(mode="json"),
            "num_parameters": spec.num_parameters, "metadata": exported.metadata,
            "output_gain_db": exported.output_gain_db}


def read_exported(path: Path) -> Exported:
    """A run's network with all that its training.json says of it. Raises ModelFileError."""
    run = RunFolder(Path(path))
    bare = not run.path.is_dir()
    weights = load_model(run.path if bare else run.model).network_weights()
    if bare:
        return Exported(weights, run.path.stem)
    training = run.read_training()
    imported = training.get("imported", {})
    metadata = flat_metadata(imported.get("metadata") or {})
    esr = training.get("esr_validation")
    if isinstance(esr, float):
        metadata["validation_esr"] = esr
    return Exported(weights, run.path.resolve().name, metadata, float(imported.get("output_gain_db") or 0.0))
