"""Captures of others as our weights, for tests: GuitarML's JSON, NAM's LSTM, the seed models' archives."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import Array, NetworkWeights, RecurrentWeights


def read_guitarml(path: Path) -> NetworkWeights:
    """A PyTorch state dict: rows by gate i, f, g, o, as our columns; two biases that only ever act together."""
    content = json.loads(path.read_text())
    model, state = content["model_data"], {name: _float32(value) for name, value in content["state_dict"].items()}
    spec = NetworkSpec(hidden_size=model["hidden_size"], num_layers=model["num_layers"], skip=bool(model["skip"]))
    layers = tuple(
        RecurrentWeights(state[f"rec.weight_ih_l{k}"].T, state[f"rec.weight_hh_l{k}"].T,
                         state[f"rec.bias_ih_l{k}"] + state[f"rec.bias_hh_l{k}"]) for k in range(spec.num_layers)
    )
    return NetworkWeights(spec, layers, state["lin.weight"].T, state["lin.bias"])


def read_nam_lstm(path: Path) -> NetworkWeights:
    """A NAM file of one layer; its initial state is left out: tests of kernels begin in zero state."""
    content = json.loads(path.read_text())
    h, flat = content["config"]["hidden_size"], _float32(content["weights"])
    matrix, bias = flat[: 4 * h * (1 + h)].reshape(4 * h, 1 + h), flat[4 * h * (1 + h) :][: 4 * h]
    layer = RecurrentWeights(np.ascontiguousarray(matrix[:, :1].T), np.ascontiguousarray(matrix[:, 1:].T), bias)
    return NetworkWeights(NetworkSpec(hidden_size=h, skip=False), (layer,), flat[-h - 1 : -1].reshape(h, 1), flat[-1:])


def read_seed_model(path: Path) -> NetworkWeights:
    """A frame network's weights as those of a network that streams."""
    with np.load(path) as arrays:
        names = sorted(name.removesuffix("_recurrent_kernel") for name in arrays if name.endswith("_recurrent_kernel"))
        layers = tuple(RecurrentWeights(*(_float32(arrays[f"{name}_{part}"])
                                          for part in ("kernel", "recurrent_kernel", "bias"))) for name in names)
        head, bias = _float32(arrays["dense_kernel"]), _float32(arrays["dense_bias"])
    spec = NetworkSpec(hidden_size=layers[0].hidden_size, num_layers=len(layers), skip=False, sample_rate_hz=22050)
    return NetworkWeights(spec, layers, head, bias)


def _float32(values: Any) -> Array:
    return np.asarray(values, dtype=np.float32)
