"""Any model that the line knows (run folder, ``.keras``, ``.tflite``) as something that plays a track."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.run_folder import RunFolder
from neuralpedal.device.engine import Engine
from neuralpedal.device.stream import Report, stream

Signal = NDArray[np.float32]


class PlayableModel:
    """A model in the engine that plays it.

    Attributes:
        engine: see Engine.
        sample_rate_hz: the rate that it was trained at.
        description: of what plays it, for tables.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sample_rate_hz = engine.sample_rate_hz
        self.description = f"{engine.description}, blocks of {engine.block_size}"

    def play(self, dry: Signal, report: Report) -> Signal:
        """Stream ``dry`` (T,) from where the model begins; float32 (T,)."""
        self.engine.reset()
        return stream(self.engine, dry, report)


def open_model(path: Path, engine: str, block_size: int) -> PlayableModel:
    """Open any model; ``engine`` and ``block_size`` are for ``.tflite`` files.

    Raises:
        ModelFileError: nothing that can be played.
    """
    if path.suffix == ".tflite":
        return PlayableModel(open_tflite(path, engine, block_size))
    run = RunFolder(path)
    if path.is_dir() and not run.is_run():
        raise ModelFileError(f"{path}: holds no model.keras; is it a run folder of train?")
    if not path.is_dir() and path.suffix != ".keras":
        found = "no such file" if not path.exists() else "not a run folder, a .keras or a .tflite file"
        raise ModelFileError(f"{path}: {found}; give one of these")
    quiet_tensorflow()
    from neuralpedal.cli.keras_engine import KerasEngine
    from neuralpedal.train.networks import load_model

    return PlayableModel(KerasEngine(load_model(run.model if path.is_dir() else path), path.resolve().stem))
