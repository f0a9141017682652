"""Neural Amp Modeler's ``.nam``: LSTMs are read; WaveNets and all else are named.

Source: github.com/sdatkinson/neural-amp-modeler (docs/source/file-format, nam/models/recurrent.py).
"""

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.importing.capture import Capture, ImportOptions, checked_weights, float32
from neuralpedal.train.importing.json_node import JsonNode, count_numbers
from neuralpedal.train.importing.sample_rate import choose_rate, find

KIND = "nam"


def is_nam(root: JsonNode) -> bool:
    """Whether this is what NAM writes."""
    return "architecture" in root and ("config" in root or "weights" in root)


def read_nam(root: JsonNode, options: ImportOptions) -> Capture:
    """An LSTM that begins in the state which is a part of the file.

    Raises:
        ModelFileError: another architecture, a size that no network of ours has, too many or too few weights.
    """
    architecture = root["architecture"].text()
    if architecture != "LSTM":
        raise ModelFileError(f"{root.path}: {_described(root, architecture)}; of NAM's networks only LSTM can be "
                             "imported")
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
    rate, remarks = choose_rate(options, find(root, "sample_rate"))
    weights = checked_weights(root.path, tuple(layers), head, tuple(states), family="lstm", skip=False,
                              sample_rate_hz=rate)
    metadata = root["metadata"].value if "metadata" in root else {}
    return Capture(root.path, KIND, f"LSTM {count}×{h}", weights, metadata if isinstance(metadata, dict) else {},
                   remarks=remarks)


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
