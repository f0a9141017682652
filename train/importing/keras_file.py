"""Plain Keras models, ``.keras`` and ``.h5``: LSTM or GRU layers between dense layers.

Only the description and the arrays are read, and nothing is built: a model file may ask Keras to run code, or to
allocate any size.

Source: github.com/keras-team/keras (src/saving/saving_lib.py for ``.keras``, src/legacy/saving/legacy_h5_format.py).
"""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.dense import BENDS
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.spec import FAMILIES
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.importing.array_archive import LARGEST_BYTES, check_archive
from neuralpedal.train.importing.bounded_time import in_bounded_time
from neuralpedal.train.importing.capture import CELLS, Capture, ImportOptions, float32
from neuralpedal.train.importing.folding import MOST_KNOBS, Dense, choose_knobs
from neuralpedal.train.importing.json_node import JsonNode, parse_json, read_bounded
from neuralpedal.train.importing.layer_chain import LayerChain, parted
from neuralpedal.train.importing.sample_rate import choose_rate

KIND = "keras"
_CELLS = {cell.upper(): cell for cell in CELLS}
"""Keras's names."""
SILENT = ("InputLayer", "Dropout")
"""Layers without arrays, which change nothing when a network plays."""
_WANTED = {"activation": ("tanh",), "recurrent_activation": ("sigmoid",), "go_backwards": (False,),
           "return_state": (False,), "reset_after": (True,), "time_major": (False,)}
"""Options of a recurrent layer that our layers have no other value of, wherever the file has them."""

_ORDER = ("0", "1", "2", "kernel", "recurrent_kernel", "bias")
"""Names of a layer's arrays, in archives and in HDF5 files."""

_HDF5_ERRORS = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, MemoryError, OverflowError,
                IndexError, AssertionError)
"""What h5py raises, depending on where a file is damaged."""

Arrays = list[NDArray[np.float64]]


@dataclass(frozen=True)
class KerasModel:
    """What lies in any kind of file: the model's configuration, and the arrays of each layer.

    Attributes:
        by_name: layers lie under their names; else under their kinds in order (``lstm``, ``lstm_1``), whatever names
            they have.
    """

    config: JsonNode
    arrays: dict[str, Arrays]
    by_name: bool


def read_keras_file(path: Path, options: ImportOptions) -> Capture:
    """A sequence of layers; one that gives its last output alone, of a sequence of known length, plays by frames.

    Raises:
        ModelFileError: damaged, a layer, an option or a size that no network of ours has.
        SpecError: knobs without a setting.
    """
    read = _read_archive if zipfile.is_zipfile(path) else _read_hdf5
    return keras_capture(path, KIND, in_bounded_time(path, lambda: read(path)), options)


def keras_capture(path: Path, kind: str, file: KerasModel, options: ImportOptions) -> Capture:
    """The network of a model in a file of this kind. Raises as ``read_keras_file``."""
    nodes = [node for node in file.config["config"]["layers"].items() if node["class_name"].text() not in SILENT]
    kinds = [node["class_name"].text() for node in nodes]
    begin, end = parted(kinds, _CELLS.__contains__) or (0, 0)
    cell = kinds[begin] if end else ""
    if not 1 <= end - begin <= 2 or set(kinds[begin:end]) != {cell} or {*kinds[:begin], *kinds[end:]} != {"Dense"}:
        raise ModelFileError(f"{path}: a Keras model of {' → '.join(kinds)[:200] or 'no layers'}; wanted one or two "
                             "LSTM or GRU layers, then Dense; Dense may stand before them, too")
    _check_chain(file.config, path)
    arrays = [_arrays_of(path, file, node, kinds, index) for index, node in enumerate(nodes)]
    inputs = len(arrays[0][0]) if arrays[0][0].ndim == 2 else 1
    said = list(zip((node["config"] for node in nodes), arrays, strict=True))
    before, after = ([_dense(path, config, found) for config, found in part] for part in (said[:begin], said[end:]))
    chain = LayerChain(before, [_recurrent(path, config, cell, found) for config, found in said[begin:end]], after)
    settings = choose_knobs(path, inputs - 1, options.knobs) if 1 < inputs <= 1 + MOST_KNOBS else {}
    frame = _frame(path, file.config, nodes[begin:end])
    if frame and cell != "LSTM":
        raise ModelFileError(f"{path}: a GRU that answers frames of {frame} samples; of these only LSTMs can be "
                             "imported")
    family = {"family": "frame_lstm", "frame_samples": frame} if frame else {"family": cell.lower()}
    rate, remarks = choose_rate(options, None)
    weights, _ = chain.weights(path, settings, skip=False, sample_rate_hz=rate, **family)
    return Capture(path, kind, f"{file.config['class_name'].text()} of {' → '.join(kinds)}", weights, knobs=settings,
                   remarks=remarks)


def _read_archive(path: Path) -> KerasModel:
    data = read_bounded(path, LARGEST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_archive(path, archive)
            config = parse_json(path, archive.read("config.json"), "config.json")
            weights = archive.read("model.weights.h5")
    except KeyError as error:
        raise ModelFileError(f"{path}: {error.args[0]}; is it a Keras model?") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError,
            zlib.error) as error:
        raise ModelFileError(f"{path}: not a Keras archive that can be read ({error})") from error
    config = JsonNode(path, config.value)
    if config["class_name"].text() == "PedalModel":
        raise ModelFileError(f"{path}: is a network of neuralpedal already; use it as it is")
    return KerasModel(config, _stored_arrays(path, weights, "layers"), by_name=False)


def _read_hdf5(path: Path) -> KerasModel:
    data = read_bounded(path, LARGEST_BYTES)
    if not data.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ModelFileError(f"{path}: neither a Keras archive nor HDF5; download or save it again")
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            text = file.attrs.get("model_config")
    except _HDF5_ERRORS as error:
        raise ModelFileError(f"{path}: not HDF5 that can be read ({error})") from error
    if not isinstance(text, str | bytes):
        raise ModelFileError(f"{path}: holds weights without a description of the model; save the whole model")
    # Bytes that are no UTF-8 come as surrogates, and go back to be refused.
    data_of_text = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    config = parse_json(path, data_of_text, "model_config")
    return KerasModel(JsonNode(path, config.value), _stored_arrays(path, data, "model_weights"), by_name=True)


def _stored_arrays(path: Path, data: bytes, group: str) -> dict[str, Arrays]:
    """Arrays under ``group`` by the layer's name, each kernel, recurrent kernel, bias."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    left = LARGEST_BYTES

    def take(name: str, item: Any) -> None:
        nonlocal left
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf":
            left -= item.size * 8
            if left < 0:
                raise ModelFileError(f"{path}: arrays of more than {LARGEST_BYTES} bytes, such as {name[:80]} of "
                                     f"shape {item.shape}; no network that plays live is that large")
            layer, leaf = name.split("/")[0], name.split("/")[-1].split(":")[0]
            if item.external or item.is_virtual:
                raise ModelFileError(f"{path}: {name[:80]} lies in another file; save the model as one file")
            found.setdefault(layer, {})[leaf] = np.asarray(item[()], np.float64)

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            file[group].visititems(take)
    except ModelFileError:
        raise
    except _HDF5_ERRORS as error:
        raise ModelFileError(f"{path}: its weights cannot be read ({str(error)[:200]})") from error
    return {layer: [arrays[leaf] for leaf in _ORDER if leaf in arrays] for layer, arrays in found.items()}


def _arrays_of(path: Path, file: KerasModel, node: JsonNode, kinds: list[str], index: int) -> Arrays:
    """Of one layer, see ``KerasModel.by_name``."""
    same = kinds[:index].count(kinds[index])
    name = node["config"]["name"].text() if file.by_name else kinds[index].lower() + (f"_{same}" if same else "")
    if name not in file.arrays:
        raise ModelFileError(f"{path}: no arrays of layer {name[:60]}; it holds {', '.join(sorted(file.arrays)[:8])}")
    return file.arrays[name]


def _recurrent(path: Path, config: JsonNode, cell: str, arrays: Arrays) -> RecurrentWeights:
    for name, wanted in _WANTED.items():
        if name in config and config[name].value not in wanted:
            raise config[name].wrong(f"{wanted[0]}; networks of other layers cannot be imported")
    h = config["units"].integer(1, 1024)
    bias = FAMILIES[_CELLS[cell]].bias_shape(h)
    size = arrays[0].shape[0] if arrays and arrays[0].ndim == 2 else 1
    shapes: list[tuple[int, ...]] = [(size, bias[-1]), (h, bias[-1]), bias]
    kernel, recurrent, constant = _fitting(path, config, arrays, shapes)
    return RecurrentWeights(float32(kernel), float32(recurrent), float32(constant))


def _dense(path: Path, config: JsonNode, arrays: Arrays) -> Dense:
    activation = str(config["activation"].value) if "activation" in config else "linear"
    if activation not in ("linear", *BENDS):
        raise config["activation"].wrong(f"linear, {', '.join(BENDS)}; networks with other dense layers cannot be "
                                         "imported")
    size = arrays[0].shape[0] if arrays and arrays[0].ndim == 2 else 1
    units = config["units"].integer(1, 4096)
    kernel, bias = _fitting(path, config, arrays, [(size, units), (units,)])
    return Dense(kernel, bias, "" if activation == "linear" else activation)


def _fitting(path: Path, config: JsonNode, arrays: Arrays, shapes: list[tuple[int, ...]]) -> Arrays:
    """``arrays`` if they have these shapes; the last, a bias, may be missing where the layer has none."""
    if "use_bias" in config and config["use_bias"].value is False:
        arrays = [*arrays, np.zeros(shapes[-1])]
    found = [array.shape for array in arrays]
    if found != shapes:
        raise ModelFileError(f"{path}: layer {config['name'].text()[:60]} has arrays of shape {found}, wanted {shapes}")
    return arrays


def _check_chain(config: JsonNode, path: Path) -> None:
    """Refuse a graph whose layers do not follow one another. Raises ModelFileError."""
    kind = config["class_name"].text()
    if kind not in ("Sequential", "Functional", "Model"):
        raise ModelFileError(f"{path}: a Keras {kind[:60]}; wanted a Sequential or Functional model")
    if kind == "Sequential":
        return
    before = None
    for node in config["config"]["layers"].items():
        calls = node.value.get("inbound_nodes")
        said = str(calls)
        if before is not None and (not isinstance(calls, list) or len(calls) != 1 or f"'{before}'" not in said):
            raise ModelFileError(f"{path}: its layers do not follow one another; such a graph cannot be imported")
        before = node["config"]["name"].text()


def _frame(path: Path, config: JsonNode, recurrent: list[JsonNode]) -> int | None:
    """The length of the frames that a model answers with one sample each; None for one that streams."""
    gives_all = [bool(node["config"].value.get("return_sequences")) for node in recurrent]
    if not all(gives_all[:-1]):
        raise ModelFileError(f"{path}: its first recurrent layer gives its last output alone; cannot be imported")
    if gives_all[-1]:
        return None
    samples = _input_shape(config)
    if samples == 1:
        return None
    if samples is None:
        raise ModelFileError(f"{path}: answers sequences of unknown length with one sample; save it with an input "
                             "shape such as (64, 1)")
    return samples


def _input_shape(config: JsonNode) -> int | None:
    """Samples per sequence as the first layer says; None where it leaves them open."""
    for node in config["config"]["layers"].items():
        for name in ("batch_shape", "batch_input_shape"):
            shape = node["config"].value.get(name) if isinstance(node["config"].value, dict) else None
            if isinstance(shape, dict):
                # A tuple, as Keras 2 writes it in a SavedModel.
                shape = shape.get("items")
            if isinstance(shape, list) and len(shape) == 3:
                return shape[1] if isinstance(shape[1], int) else None
    return None
