"""A pedal compiled for this machine: the folder that ``firmware_bridge`` writes and ``device`` plays.

Nothing may be played that was not proved: so the folder says which model and which processor it was made for, the
library's digest, and what it answered to golden audio when it was checked against the reference. Whoever loads it
compares all of that; see :func:`read_native_library`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.compiled_code import processor_identity, user_cache_folder
from neuralpedal.contract.errors import ModelFileError

LIBRARY_FILE, DESCRIPTION_FILE, GOLDEN_FILE = "pedal.so", "library.json", "golden.npy"
FORMAT = 1


@dataclass(frozen=True)
class NativeLibrary:
    """One folder.

    Attributes:
        folder: where it lies.
        model_sha256: of the ``.tflite``. library_sha256: of ``pedal.so``.
        processor: see :func:`neuralpedal.contract.compiled_code.processor_identity`.
        state_bytes: memory of one ``pedal_state``.
        kernel: what plays, for tables: ``8 lanes, int16 weights``.
        esr: of its output against the reference on golden audio, 0 for integer networks.
    """

    folder: Path
    model_sha256: str
    library_sha256: str
    processor: str
    state_bytes: int
    kernel: str
    esr: float

    @property
    def library(self) -> Path:
        """The shared library."""
        return self.folder / LIBRARY_FILE

    def golden(self) -> NDArray[np.float32]:
        """(2, T) float32: audio, and the library's answer when it was made. Raises ModelFileError."""
        try:
            golden: NDArray[np.float32] = np.load(self.folder / GOLDEN_FILE, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _stale(self.folder, f"{GOLDEN_FILE} cannot be read ({error})") from error
        if golden.dtype != np.float32 or golden.ndim != 2 or len(golden) != 2:
            raise _stale(self.folder, f"{GOLDEN_FILE} holds {golden.dtype} {golden.shape}, wanted float32 (2, T)")
        return golden


def native_cache_folder() -> Path:
    """Where compiled pedals are kept: ``$XDG_CACHE_HOME/neuralpedal/pedals``, or under ``~/.cache``."""
    return user_cache_folder() / "pedals"


def model_digest(model: Path) -> str:
    """SHA-256 of a ``.tflite`` file. Raises ModelFileError."""
    try:
        return hashlib.sha256(Path(model).read_bytes()).hexdigest()
    except OSError as error:
        raise ModelFileError(f"{model}: cannot be read ({error.strerror})") from error


def write_description(library: NativeLibrary) -> None:
    """Write ``library.json`` into the library's folder."""
    fields = {key: value for key, value in asdict(library).items() if key != "folder"}
    text = json.dumps({"format": FORMAT, **fields}, indent=1) + "\n"
    (library.folder / DESCRIPTION_FILE).write_text(text, encoding="utf-8")


def read_native_library(folder: Path, model: Path) -> NativeLibrary:
    """The library in ``folder``, after everything that can be checked without loading it.

    Raises:
        ModelFileError: there is none, it is of another model or processor, or its file is not the one that was proved.
    """
    folder = Path(folder)
    try:
        content: dict[str, Any] = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        library = NativeLibrary(folder=folder, **content)
        digest = hashlib.sha256(library.library.read_bytes()).hexdigest()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _stale(folder, str(error)) from error
    if library.model_sha256 != model_digest(model):
        raise _stale(folder, f"made from another file than {model}")
    if library.processor != processor_identity():
        raise _stale(folder, "made for another processor")
    if library.library_sha256 != digest:
        raise _stale(folder, f"{LIBRARY_FILE} is not the file that was checked")
    return library


def _stale(folder: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{folder}: no compiled pedal for this model and machine ({reason}); remove the folder, and "
                          "it is made again")
