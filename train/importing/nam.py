"""Neural Amp Modeler's ``.nam``: LSTMs and WaveNets are read; all else is named.

Source: github.com/sdatkinson/neural-amp-modeler (docs/source/file-format, nam/models/recurrent.py).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.importing.capture import Capture, ImportOptions, checked_weights, float32
from neuralpedal.train.importing.json_node import JsonNode, count_numbers
from neuralpedal.train.importing.nam_wavenet import read_wavenet
from neuralpedal.train.importing.sample_rate import choose_rate, find

KIND = "nam"


def is_nam(root: JsonNode) -> bool:
    """Whether this is what NAM writes."""
    return "architecture" in root and ("config" in root or "weights" in root)


def read_nam(root: JsonNode, options: ImportOptions) -> Capture:
    """A WaveNet, the largest network of a container, or an LSTM that begins in the state which is a part of the file.

    Raises:
        ModelFileError: another architecture, a size that no network of ours has, too many or too few weights.
    """
    rate, remarks = choose_rate(options, find(root, "sample_rate"))
    network, left_out = _largest(root)
    architecture = network["architecture"].text()
    if architecture not in _READERS:
        raise ModelFileError(f"{root.path}: {_described(network, architecture)}; of NAM's networks only "
                             f"{' and '.join(_READERS)} can be imported")
    said, weights = _READERS[architecture](network, rate)
    metadata = root["metadata"].value if "metadata" in root else {}
    return Capture(root.path, KIND, said, weights, metadata if isinstance(metadata, dict) else {},
                   remarks=(*remarks, *left_out))


def _largest(root: JsonNode) -> tuple[JsonNode, list[str]]:
    """The network itself, or the largest one of a container of several sizes, and what is said of the others."""
    if root["architecture"].text() != _CONTAINER:
        return root, []
    sizes = [(item["max_value"].number(), index, item["model"])
             for index, item in enumerate(root["config"]["submodels"].items())]
    if not sizes:
        raise ModelFileError(f"{root.path}: a {_CONTAINER} without networks; export it again")
    return max(sizes, key=lambda size: size[:2])[2], [f"holds {len(sizes)} networks; the largest was taken"]


def _read_lstm(root: JsonNode, rate_hz: int) -> tuple[str, NetworkWeights]:
    config = root["config"]
    h, count = config["hidden_size"].integer(1, 1024), config["num_layers"].integer(1, 2)
    config["input_size"].integer(1, 1)
    numbers = _Numbers(root["weights"].array(None), _num_weights(h, count), root)
    layers, states = [], []
    for index in range(count):
        size = h if index else 1
        matrix, bias = numbers.take(4 * h, size + h), numbers.take(4 * h)
        layers.append(RecurrentWeights(float32(matrix[:, :size].T), float32(matrix[:, size:].T), float32(bias)))
        states.append((float32(numbers.take(h)), float32(numbers.take(h))))
    head = float32(numbers.take(h, 1)), float32(numbers.take(1))
    weights = checked_weights(root.path, tuple(layers), head, tuple(states), family="lstm", skip=False,
                              sample_rate_hz=rate_hz)
    return f"LSTM {count}×{h}", weights


def _read_wavenet(root: JsonNode, rate_hz: int) -> tuple[str, WaveNetWeights]:
    weights = read_wavenet(root, rate_hz)
    return f"WaveNet {weights.spec.size}", weights


_READERS: dict[str, Callable[[JsonNode, int], tuple[str, Any]]] = {"LSTM": _read_lstm, "WaveNet": _read_wavenet}
_CONTAINER = "SlimmableContainer"


def _num_weights(h: int, num_layers: int) -> int:
    return sum(4 * h * (size + h + 1) + 2 * h for size in (1, h)[:num_layers]) + h + 1


class _Numbers:
    """The flat weights, taken from the front."""

    def __init__(self, flat: NDArray[np.float64], wanted: int, root: JsonNode) -> None:
        if len(flat) != wanted:
            raise ModelFileError(f"{root.path}: {len(flat)} weights, but an LSTM of this size has {wanted}; export it "
                                 "again")
        self._flat, self._start = flat, 0

    def take(self, *shape: int) -> NDArray[np.float64]:
        start, self._start = self._start, self._start + int(np.prod(shape))
        return self._flat[start : self._start].reshape(shape)


def _described(root: JsonNode, architecture: str) -> str:
    """``WaveNet (16+8 channels, 20 layers, 13802 weights)``, as far as the file says it."""
    said = []
    arrays = find(root, "config.layers")
    if architecture == "WaveNet" and arrays is not None and isinstance(arrays.value, list):
        known = [array for array in arrays.value if isinstance(array, dict)]
        said.append("+".join(str(array.get("channels")) for array in known)[:40] + " channels")
        said.append(f"{sum(len(array.get('dilations') or ()) for array in known if _has_list(array))} layers")
    said.append(f"{count_numbers(root.value.get('weights')) or count_numbers(root.value)} weights")
    return f"a {architecture[:60]} ({', '.join(said)})"


def _has_list(array: dict[str, object]) -> bool:
    return isinstance(array.get("dilations"), list)
