"""Where an interrupted training goes on: one file with all that the next step depends on.

Weights, optimiser, random generator, clock and history: with the same seed and a budget in epochs, a resumed training
gives the same weights as one that was never interrupted.
"""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.atomic import replacing
from neuralpedal.contract.errors import ModelFileError

_FORMAT = 1


@dataclass
class TrainingState:
    """All that changes while training.

    Attributes:
        epoch: epochs done. batch: batches done of the next one.
        elapsed_s: wall time of the loop so far, over all sessions.
        learning_rate_scale: lowered when a step went wrong.
        on_grid: the best weights are on the int8 grid.
        weights, optimizer: where to go on, arrays in Keras's order. good_weights, good_optimizer: of the last
            validation, where a step that went wrong goes back to. best_weights: of the best validation.
        rng: state of NumPy's bit generator.
        history: one row per validation.
    """

    epoch: int = 0
    batch: int = 0
    elapsed_s: float = 0.0
    learning_rate_scale: float = 1.0
    best_esr: float = float("inf")
    on_grid: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    rng: dict[str, Any] = field(default_factory=dict)
    weights: list[np.ndarray] = field(default_factory=list)
    best_weights: list[np.ndarray] = field(default_factory=list)
    optimizer: list[np.ndarray] = field(default_factory=list)
    good_weights: list[np.ndarray] = field(default_factory=list)
    good_optimizer: list[np.ndarray] = field(default_factory=list)


_LISTS = ("weights", "best_weights", "optimizer", "good_weights", "good_optimizer")


def write_checkpoint(path: Path, state: TrainingState, fingerprint: str) -> None:
    """Write ``state`` whole or not at all; ``fingerprint`` says which recipe and recordings it belongs to.

    Raises:
        OutputError: the disk is full or the folder not writable.
    """
    scalars = {"format": _FORMAT, "fingerprint": fingerprint,
               **{key: value for key, value in vars(state).items() if key not in _LISTS}}
    arrays = {f"{name}_{index:03d}": array for name in _LISTS for index, array in enumerate(getattr(state, name))}
    with replacing(path) as temporary:
        np.savez(temporary, scalars=np.frombuffer(json.dumps(scalars).encode(), np.uint8), **arrays)


def read_checkpoint(path: Path, fingerprint: str) -> TrainingState:
    """Read what :func:`write_checkpoint` wrote.

    Raises:
        ModelFileError: missing, damaged, or of another recipe or recording.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file, nothing to resume; train without --resume")
    try:
        with np.load(path, allow_pickle=False) as content:
            scalars = json.loads(bytes(content["scalars"]))
            lists = {name: [content[key] for key in sorted(content.files) if key.startswith(f"{name}_")
                            and key.removeprefix(f"{name}_").isdigit()] for name in _LISTS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{path}: damaged checkpoint ({error}); train again with --overwrite") from error
    if scalars.pop("format") != _FORMAT:
        raise ModelFileError(f"{path}: written by another version; train again with --overwrite")
    if scalars.pop("fingerprint") != fingerprint:
        raise ModelFileError(f"{path}: belongs to another recipe or other recordings; resume with the same ones "
                             "(only the budget may change) or train again with --overwrite")
    fields: dict[str, Any] = {**scalars, **lists}
    return TrainingState(**fields)
