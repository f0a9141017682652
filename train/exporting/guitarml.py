"""GuitarML's JSON (Proteus, NeuralPi): a PyTorch state dict.

Source: github.com/Alec-Wright/Automated-GuitarAmpModelling (CoreAudioML/networks.py).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.exporting.layout import Exported, numbers, recurrent


def guitarml_content(exported: Exported) -> dict[str, Any]:
    """The file. Raises SpecError: another cell, an initial state, a gain."""
    weights = recurrent(exported, "GuitarML", skip=True, state=False, gain=False, bends=False)
    spec = weights.spec
    state: dict[str, Any] = {}
    for index, layer in enumerate(weights.layers):
        for name, array in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), _arrays(layer), strict=True):
            state[f"rec.{name}_l{index}"] = numbers(array)
    state["lin.weight"], state["lin.bias"] = numbers(weights.head_kernel.T), numbers(weights.head_bias)
    model = {"model": "SimpleRNN", "input_size": 1, "skip": int(spec.skip), "output_size": 1,
             "unit_type": spec.kind.cell.upper(), "num_layers": spec.num_layers, "hidden_size": spec.hidden_size,
             "bias_fl": True, "samplerate": spec.sample_rate_hz}
    return {"model_data": model, "metadata": {"name": exported.name, **exported.metadata}, "state_dict": state}


def _arrays(layer: RecurrentWeights) -> list[NDArray[np.float32]]:
    kernel, recurrent, bias = layer.kernel.T, layer.recurrent_kernel.T, layer.bias
    if bias.ndim == 1:
        # Both biases only ever act together. Minus zero leaves the other as it is, were it a zero itself.
        return [kernel, recurrent, bias, np.full_like(bias, -0.0)]
    return [_reset_first(kernel), _reset_first(recurrent), _reset_first(bias[0]), _reset_first(bias[1])]


def _reset_first(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gates z, r, n in rows as PyTorch's r, z, n."""
    update, reset, candidate = np.split(rows, 3)
    return np.concatenate([reset, update, candidate])
