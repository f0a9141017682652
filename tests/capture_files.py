"""Writes model files in the formats of others from random weights, for tests of what reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import NetworkWeights, random_weights


def network(family: str = "lstm", hidden_size: int = 4, num_layers: int = 1, seed: int = 0,
            **fields: Any) -> NetworkWeights:
    """Random weights; without skip unless it is said."""
    spec = make_spec(family=family, hidden_size=hidden_size, num_layers=num_layers, **{"skip": False, **fields})
    return random_weights(spec, seed)


def rtneural_json(weights: NetworkWeights, **fields: Any) -> dict[str, Any]:
    """RTNeural's layout, as its exporter writes it."""
    h, cell = weights.spec.hidden_size, weights.spec.kind.cell
    layers = [{"type": cell, "activation": "tanh", "shape": [None, None, h],
               "weights": [layer.kernel.tolist(), layer.recurrent_kernel.tolist(), layer.bias.tolist()]}
              for layer in weights.layers]
    head = dense_layer(weights.head_kernel, weights.head_bias)
    return {"in_shape": [None, None, 1], "layers": [*layers, head], **fields}


def dense_layer(kernel: NDArray[Any], bias: NDArray[Any], activation: str = "") -> dict[str, Any]:
    """One of RTNeural's."""
    return {"type": "dense", "activation": activation, "shape": [None, None, kernel.shape[1]],
            "weights": [kernel.tolist(), bias.tolist()]}


def guitarml_json(cell: str, hidden_size: int, num_layers: int = 1, input_size: int = 1, skip: int = 1,
                  seed: int = 0) -> dict[str, Any]:
    """A state dict of random numbers under PyTorch's names and in its shapes."""
    rng, rows = np.random.default_rng(seed), {"LSTM": 4, "GRU": 3}[cell] * hidden_size

    def draw(*shape: int) -> list[Any]:
        return rng.normal(0, 0.4, shape).astype(np.float32).tolist()

    state: dict[str, Any] = {"lin.weight": draw(1, hidden_size), "lin.bias": draw(1)}
    for index in range(num_layers):
        state[f"rec.weight_ih_l{index}"] = draw(rows, hidden_size if index else input_size)
        state[f"rec.weight_hh_l{index}"] = draw(rows, hidden_size)
        state[f"rec.bias_ih_l{index}"], state[f"rec.bias_hh_l{index}"] = draw(rows), draw(rows)
    return {"model_data": {"model": "SimpleRNN", "input_size": input_size, "skip": skip, "output_size": 1,
                           "unit_type": cell, "num_layers": num_layers, "hidden_size": hidden_size, "bias_fl": True},
            "state_dict": state}


def nam_json(weights: NetworkWeights, states: NDArray[np.float32], **fields: Any) -> dict[str, Any]:
    """NAM's flat list; ``states`` (layers, 2, H) are the initial h and c."""
    flat: list[NDArray[Any]] = []
    for layer, state in zip(weights.layers, states, strict=True):
        flat += [np.concatenate([layer.kernel, layer.recurrent_kernel]).T, layer.bias, state]
    flat += [weights.head_kernel, weights.head_bias]
    numbers = np.concatenate([array.ravel() for array in flat]).tolist()
    config = {"input_size": 1, "hidden_size": weights.spec.hidden_size, "num_layers": weights.spec.num_layers}
    return {"version": "0.5.4", "architecture": "LSTM", "config": config, "weights": numbers, **fields}


def write(path: Path, content: Any) -> Path:
    """As JSON, NaN as Python writes it."""
    path.write_text(json.dumps(content))
    return path


def torch_rnn(content: dict[str, Any], inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """What PyTorch's LSTM or GRU and a linear layer make of ``inputs`` (T, input_size), (T,), by its documentation.

    Source: pytorch.org/docs (nn.LSTM, nn.GRU).
    """
    model = content["model_data"]
    state = {name: np.array(value, np.float64) for name, value in content["state_dict"].items()}
    h = [np.zeros(model["hidden_size"]) for _ in range(model["num_layers"])]
    c, outputs = [row.copy() for row in h], []
    for sample in inputs:
        signal = sample
        for k in range(model["num_layers"]):
            a = state[f"rec.weight_ih_l{k}"] @ signal + state[f"rec.bias_ih_l{k}"]
            b = state[f"rec.weight_hh_l{k}"] @ h[k] + state[f"rec.bias_hh_l{k}"]
            if model["unit_type"] == "LSTM":
                i, f, g, o = np.split(a + b, 4)
                c[k] = _sigmoid(f) * c[k] + _sigmoid(i) * np.tanh(g)
                h[k] = _sigmoid(o) * np.tanh(c[k])
            else:
                (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
                z = _sigmoid(az + bz)
                h[k] = (1 - z) * np.tanh(an + _sigmoid(ar + br) * bn) + z * h[k]
            signal = h[k]
        outputs.append(state["lin.weight"][0] @ signal + state["lin.bias"][0] + model["skip"] * sample[0])
    return np.array(outputs)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))
