"""RTNeural's JSON, and AIDA-X's, which is the same with gains, a skip and a test inside (``.json``, ``.aidax``).

Recurrent layers and dense layers around them are read; convolutions, and activations that we have none of, are named.

Source: github.com/jatinchowdhury18/RTNeural (python/model_utils.py, RTNeural/model_loader.h); how gains, skip and knobs
act: github.com/AidaDSP/aidadsp-lv2 (rt-neural-generic.cpp).
"""

from dataclasses import dataclass, replace

import numpy as np

from neuralpedal.contract.dense import BENDS
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.spec import FAMILIES
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.train.importing.capture import CELLS, Capture, GoldenBatch, ImportOptions, float32
from neuralpedal.train.importing.folding import MOST_KNOBS, Dense, choose_knobs
from neuralpedal.train.importing.json_node import JsonNode, count_numbers
from neuralpedal.train.importing.layer_chain import LayerChain
from neuralpedal.train.importing.sample_rate import choose_rate, find

KIND = "rtneural"
_DENSE = ("dense", "time-distributed-dense")
_LARGEST_LAYER = 4096
_LARGEST_GAIN_DB = 60.0


def is_rtneural(root: JsonNode) -> bool:
    """Whether this is what RTNeural's exporter writes."""
    return "layers" in root and "in_shape" in root


def read_rtneural(root: JsonNode, options: ImportOptions) -> Capture:
    """A stack of LSTMs or GRUs.

    Raises:
        ModelFileError: other layers, shapes that do not fit, a size that no network of ours has.
        SpecError: knobs without a setting.
    """
    inputs = list(root["in_shape"].items())
    size = inputs[-1].integer(1, 1 + MOST_KNOBS) if inputs else root["in_shape"].integer(1, 1)
    network = _read_layers(root, size)
    settings = choose_knobs(root.path, size - 1, options.knobs) if size > 1 else {}
    rate, remarks = choose_rate(options, find(root, "metadata.samplerate", "samplerate", "sample_rate"))
    playing = replace(network, rate_hz=rate)
    metadata = {key: value for key, value in root.value.items()
                if key not in ("layers", "in_shape", "input_batch", "output_batch")}
    gains = _gain_db(root, "in_gain"), _gain_db(root, "out_gain")
    skip = bool(root["in_skip"].integer(0, 1)) if "in_skip" in root else False
    weights, left_db = playing.weights(root, settings, skip, gains)
    golden = None
    if "input_batch" in root and "output_batch" in root:
        at_zero, _ = playing.weights(root, dict.fromkeys(settings, 0.0), skip, gains)
        golden = _golden(root, at_zero)
    return Capture(root.path, KIND, _described(root), weights, metadata, left_db, knobs=settings, golden=golden,
                   remarks=remarks)


@dataclass(frozen=True)
class _Network:
    """What the layers say."""

    cell: str
    chain: LayerChain
    rate_hz: int = 48_000

    def weights(self, root: JsonNode, settings: dict[str, float], skip: bool,
                gains_db: tuple[float, float]) -> tuple[NetworkWeights, float]:
        """All of it as one network, and the gain in dB that is left over."""
        return self.chain.weights(root.path, settings, gains_db, family=self.cell, skip=skip,
                                  sample_rate_hz=self.rate_hz)


def _read_layers(root: JsonNode, size: int) -> _Network:
    nodes = list(root["layers"].items())
    kinds = [node["type"].text().lower() for node in nodes]
    recurrent = [index for index, kind in enumerate(kinds) if kind in CELLS]
    foreign = sorted({kind for kind in kinds if kind not in (*CELLS, *_DENSE)})
    if foreign or not recurrent:
        raise _refusal(root, f"layers of type {', '.join(foreign)}" if foreign else "no recurrent layer")
    first, last = recurrent[0], recurrent[-1]
    cell = kinds[first]
    if any(kind != cell for kind in kinds[first : last + 1]) or len(recurrent) > 2:
        raise _refusal(root, "other than one or two recurrent layers of one kind")
    if last == len(nodes) - 1:
        raise _refusal(root, "no dense layer at its end")
    before: list[Dense] = []
    after: list[Dense] = []
    layers: list[RecurrentWeights] = []
    for index, node in enumerate(nodes):
        if index < first or index > last:
            dense = _dense(root, node, size)
            (before if index < first else after).append(dense)
            size = dense.kernel.shape[1]
        else:
            layers.append(_recurrent(root, node, cell, size))
            size = layers[-1].hidden_size
    if size != 1:
        raise _refusal(root, f"{size} outputs")
    return _Network(cell, LayerChain(before, layers, after))


def _recurrent(root: JsonNode, node: JsonNode, cell: str, size: int) -> RecurrentWeights:
    activation = node["activation"].text() if "activation" in node else ""
    if activation not in ("", "tanh"):
        raise _refusal(root, f"a {cell} with activation {activation[:20]}")
    h = _units(node)
    bias_shape = FAMILIES[cell].bias_shape(h)
    arrays = list(node["weights"].items())
    if len(arrays) != 3:
        raise node["weights"].wrong(f"3 arrays, found {len(arrays)}")
    bias = arrays[2].array(*bias_shape)
    return RecurrentWeights(float32(arrays[0].array(size, bias_shape[-1])), float32(arrays[1].array(h, bias_shape[-1])),
                            float32(bias))


def _dense(root: JsonNode, node: JsonNode, size: int) -> Dense:
    activation = node["activation"].text() if "activation" in node else ""
    if activation not in ("", "linear", *BENDS):
        raise _refusal(root, f"a dense layer with activation {activation[:20]}")
    outputs = _units(node)
    arrays = list(node["weights"].items())
    if len(arrays) not in (1, 2):
        raise node["weights"].wrong(f"2 arrays, found {len(arrays)}")
    kernel = arrays[0].array(size, outputs)
    bias = arrays[1].array(outputs) if len(arrays) == 2 else np.zeros(outputs)
    return Dense(kernel, bias, "" if activation == "linear" else activation)


def _units(node: JsonNode) -> int:
    shape = list(node["shape"].items())
    return shape[-1].integer(1, _LARGEST_LAYER) if shape else node["shape"].integer(1, 1)


def _gain_db(root: JsonNode, name: str) -> float:
    if name not in root:
        return 0.0
    gain_db = root[name].number()
    if abs(gain_db) > _LARGEST_GAIN_DB:
        raise root[name].wrong(f"-{_LARGEST_GAIN_DB:g} to {_LARGEST_GAIN_DB:g} dB")
    return gain_db


def _golden(root: JsonNode, weights: NetworkWeights) -> GoldenBatch:
    dry = root["input_batch"].array(None)
    return GoldenBatch(float32(dry), float32(root["output_batch"].array(len(dry))), weights)


def _described(root: JsonNode) -> str:
    """``dense 8 tanh → lstm 8 → dense 1 (649 weights)``."""
    said = []
    for node in list(root["layers"].items())[:12]:
        shape = node.value.get("shape") if isinstance(node.value, dict) else None
        units = shape[-1] if isinstance(shape, list) and shape else "?"
        kind = str(node.value.get("type"))[:30] if isinstance(node.value, dict) else "?"
        bend = node.value.get("activation") if kind not in CELLS and isinstance(node.value, dict) else ""
        said.append(" ".join(filter(None, (kind, str(units)[:8], str(bend or "")[:20]))))
    weights = count_numbers([node.value.get("weights") for node in root["layers"].items()
                             if isinstance(node.value, dict)])
    return f"{' → '.join(said)} ({weights} weights)"


def _refusal(root: JsonNode, why: str) -> ModelFileError:
    return ModelFileError(f"{root.path}: {_described(root)}: {why}; of RTNeural's networks those of one or two LSTM or "
                          f"GRU layers and dense layers (linear, {', '.join(BENDS)}) can be imported")
