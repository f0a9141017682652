"""Any model that the line knows (run folder, ``.keras``, ``.tflite``) as something that plays a track."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.device.stream import Report, stream

Signal = NDArray[np.float32]


class PlayableModel(ABC):
    """A model with the rate that it was trained at and a description of what plays it."""

    sample_rate_hz: int
    description: str

    @abstractmethod
    def play(self, dry: Signal, report: Report) -> Signal:
        """Stream ``dry`` (T,) from zero state; float32 (T,)."""


class EngineModel(PlayableModel):
    """A ``.tflite`` in one of the device's engines."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.sample_rate_hz = engine.sample_rate_hz
        self.description = f"{engine.description}, blocks of {engine.block_size}"

    def play(self, dry: Signal, report: Report) -> Signal:
        """See :class:`PlayableModel`."""
        self._engine.reset()
        return stream(self._engine, dry, report)


class KerasModel(PlayableModel):
    """A Keras model in TensorFlow."""

    description = "keras"

    def __init__(self, model: Any) -> None:
        self._model = model
        self.sample_rate_hz = model.spec.sample_rate_hz

    def play(self, dry: Signal, report: Report) -> Signal:
        """See :class:`PlayableModel`."""
        wet: Signal = self._model.process(dry)
        report(1.0)
        return wet


def open_model(path: Path, engine: str, block_size: int) -> PlayableModel:
    """Open any model; ``engine`` and ``block_size`` are for ``.tflite`` files.

    Raises:
        ModelFileError: nothing that can be played.
    """
    if path.suffix == ".tflite":
        return EngineModel(open_engine(path, engine, block_size))
    run = RunFolder(path)
    if path.is_dir() and not run.is_run():
        raise ModelFileError(f"{path}: holds no model.keras; is it a run folder of train?")
    if not path.is_dir() and path.suffix != ".keras":
        found = "no such file" if not path.exists() else "not a run folder, a .keras or a .tflite file"
        raise ModelFileError(f"{path}: {found}; give one of these")
    quiet_tensorflow()
    from neuralpedal.train.networks import load_model

    return KerasModel(load_model(run.model if path.is_dir() else path))
