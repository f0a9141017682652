"""Writes networks as folders like those of Keras 2, without Keras 2: a checkpoint of the same objects, and the JSON.

tests/golden/saved_models holds folders that Keras 2 wrote; tests/test_saved_models.py compares the two kinds.
"""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from neuralpedal.contract.weights import NetworkWeights

GOLDEN = Path(__file__).parent / "golden" / "saved_models"


def write_saved_model(path: Path, weights: NetworkWeights, change: Any = None) -> Path:
    """``weights`` as a Sequential model; ``change`` may alter its description."""
    description = described(weights)
    if change is not None:
        change(description)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"")
    (path / "keras_metadata.pb").write_bytes(metadata(json.dumps(description).encode()))
    names = [("kernel", "recurrent_kernel", "bias")] * len(weights.layers) + [("kernel", "bias")]
    arrays = [(layer.kernel, layer.recurrent_kernel, layer.bias) for layer in weights.layers]
    layers = [_layer(*pair) for pair in zip(names, [*arrays, (weights.head_kernel, weights.head_bias)], strict=True)]
    everything = [variable for layer in layers for variable in layer.variables]
    named = {f"layer_with_weights-{index}": layer for index, layer in enumerate(layers)}
    tf.train.Checkpoint(**named, variables=everything).write(str(path / "variables" / "variables"))
    return path


def _layer(names: tuple[str, ...], arrays: tuple[Any, ...]) -> Any:
    """A recurrent layer's arrays belong to its cell, a dense layer's to itself."""
    variables = {name: tf.Variable(array) for name, array in zip(names, arrays, strict=True)}
    inner = {"cell": tf.train.Checkpoint(**variables)} if len(names) == 3 else variables
    return tf.train.Checkpoint(variables=list(variables.values()), **inner)


def metadata(text: bytes) -> bytes:
    """``keras_metadata.pb`` of a model with this JSON: a node with a path (3) and metadata (5), in protobuf."""
    node = b"\x1a\x04root" + b"\x2a" + _varint(len(text)) + text
    return b"\x0a" + _varint(len(node)) + node


def _varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])


def described(weights: NetworkWeights) -> dict[str, Any]:
    """A Sequential model's configuration, as far as Keras 2 says what changes the sound."""
    spec = weights.spec
    shape = {"class_name": "__tuple__", "items": [None, spec.frame_samples, 1]}
    layers: list[dict[str, Any]] = [{"class_name": "InputLayer", "config": {"batch_input_shape": shape, "name": "in"}}]
    for index in range(spec.num_layers):
        last = index == spec.num_layers - 1
        layers.append({"class_name": spec.kind.cell.upper(), "config": {
            "name": f"recurrent_{index}", "units": spec.hidden_size, "activation": "tanh",
            "recurrent_activation": "sigmoid", "use_bias": True,
            "return_sequences": not (last and spec.kind.has_frame)}})
    layers.append({"class_name": "Dense", "config": {"name": "dense", "units": 1, "activation": "linear",
                                                      "use_bias": True}})
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
