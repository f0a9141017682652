"""Models made and opened: the one place that knows which class a family's Keras model is."""

from pathlib import Path
from typing import overload

import keras

from neuralpedal.contract.atomic import replacing
from neuralpedal.contract.errors import ModelFileError, PedalError
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.train.networks.network_model import NetworkModel
from neuralpedal.train.networks.pedal_model import PedalModel
from neuralpedal.train.networks.wavenet_model import WaveNetModel


@overload
def build_model(spec: NetworkSpec, lanes: int = 1) -> PedalModel:
    """Of a recurrent network."""


@overload
def build_model(spec: WaveNetSpec, lanes: int = 1) -> WaveNetModel:
    """Of a WaveNet."""


@overload
def build_model(spec: NetworkSpec | WaveNetSpec, lanes: int = 1) -> PedalModel | WaveNetModel:
    """Of any."""


def build_model(spec: NetworkSpec | WaveNetSpec, lanes: int = 1) -> PedalModel | WaveNetModel:
    """A new network with its weights created from Keras's current seed."""
    model = WaveNetModel(spec) if isinstance(spec, WaveNetSpec) else PedalModel(spec, lanes=lanes)
    model.build(None)
    return model


def save_model(model: NetworkModel, path: Path) -> None:
    """Write ``model.keras``, whole or not at all. Raises OutputError."""
    with replacing(path) as temporary:
        model.save(temporary)


def load_model(path: Path) -> PedalModel | WaveNetModel:
    """Open a ``.keras`` file that train wrote.

    Raises:
        ModelFileError: missing, damaged, or another kind of model.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; give the run folder or model.keras that train wrote")
    try:
        model = keras.models.load_model(path, compile=False)
    except PedalError as error:
        raise ModelFileError(f"{path}: {error}") from error
    # Keras raises whatever its zip, JSON or HDF5 reader happens to raise on a damaged file.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"{path}: not a Keras model that can be opened ({reason})") from error
    if not isinstance(model, PedalModel | WaveNetModel):
        raise ModelFileError(f"{path}: a Keras {type(model).__name__}, wanted a model as train writes it")
    return model
