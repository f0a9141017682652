"""Networks as ``.npz``: the arrays of a Keras model by name, as this project's test data keep the 2022 study's.

``lstmK_kernel`` (in, 4H), ``lstmK_recurrent_kernel`` (H, 4H), ``lstmK_bias`` (4H,), ``dense_kernel`` (H, 1),
``dense_bias`` (1,), ``sample_rate_hz``, and ``frame`` where every output sample answers the last ``frame`` inputs.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.importing.capture import Capture, ImportOptions, checked_weights, float32
from neuralpedal.train.importing.json_node import JsonNode
from neuralpedal.train.importing.sample_rate import choose_rate

KIND = "npz"
LARGEST_BYTES = 2**26


def read_array_archive(path: Path, options: ImportOptions) -> Capture:
    """An LSTM of one or two layers, by frames or streaming.

    Raises:
        ModelFileError: no such archive, arrays missing, of other shapes or no numbers.
    """
    arrays = _read_arrays(path)
    layers: list[RecurrentWeights] = []
    while f"lstm{len(layers)}_kernel" in arrays and len(layers) < 3:
        names = (f"lstm{len(layers)}_{part}" for part in ("kernel", "recurrent_kernel", "bias"))
        layers.append(RecurrentWeights(*(_matrix(path, arrays, name) for name in names)))
    if not layers or any(layer.recurrent_kernel.ndim != 2 for layer in layers):
        raise ModelFileError(f"{path}: holds {', '.join(sorted(arrays)[:6]) or 'no arrays'}; wanted lstm0_kernel, "
                             "lstm0_recurrent_kernel, lstm0_bias, dense_kernel, dense_bias")
    frame = _whole_number(path, arrays, "frame") if "frame" in arrays else None
    said = _whole_number(path, arrays, "sample_rate_hz") if "sample_rate_hz" in arrays else None
    rate, remarks = choose_rate(options, None if said is None else JsonNode(path, said, "sample_rate_hz"))
    spec = {"family": "frame_lstm", "frame_samples": frame} if frame else {"family": "lstm"}
    head = _matrix(path, arrays, "dense_kernel"), _matrix(path, arrays, "dense_bias")
    weights = checked_weights(path, tuple(layers), head, skip=False, sample_rate_hz=rate, **spec)
    return Capture(path, KIND, weights.spec.label, weights, remarks=remarks)


def check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse what would grow beyond 64 MiB when unpacked. Raises ModelFileError."""
    size = sum(entry.file_size for entry in archive.infolist())
    if size > LARGEST_BYTES:
        raise ModelFileError(f"{path}: {size} bytes when unpacked, wanted at most {LARGEST_BYTES}; no network that "
                             "plays live is that large")


def _read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise ModelFileError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give a model file")
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive)
        with np.load(path, allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except ModelFileError:
        raise
    # The zip, its compression and NumPy's headers each fail in their own way; NotImplementedError is a compression
    # that Python does not know, RuntimeError a password, MemoryError a header that lies about its size.
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile, NotImplementedError, RuntimeError,
            SyntaxError, MemoryError, OverflowError, zlib.error) as error:
        raise ModelFileError(f"{path}: not an .npz archive that can be read ({_one_line(error)}); download it "
                             "again") from error


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _matrix(path: Path, arrays: dict[str, NDArray[np.generic]], name: str) -> NDArray[np.float32]:
    if name not in arrays:
        raise ModelFileError(f"{path}: lacks {name}; it holds {', '.join(sorted(arrays)[:12])}")
    if arrays[name].dtype.kind not in "iuf":
        raise ModelFileError(f"{path}: {name} is of type {arrays[name].dtype}, wanted numbers")
    return float32(arrays[name])


def _whole_number(path: Path, arrays: dict[str, NDArray[np.generic]], name: str) -> int:
    if arrays[name].size != 1 or arrays[name].dtype.kind not in "iu":
        raise ModelFileError(f"{path}: {name} has shape {arrays[name].shape} and type {arrays[name].dtype}, wanted one "
                             "whole number")
    return int(arrays[name].reshape(-1)[0].item())
