"""AIDA-X's JSON (RTNeural's, with gain, skip and a test inside).

Source: github.com/jatinchowdhury18/RTNeural (RTNeural/model_loader.h); github.com/AidaDSP/aidadsp-lv2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.dense import DenseLayer, DenseWeights
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.train.exporting.layout import Exported, numbers, recurrent

GOLDEN_SAMPLES = 2048


def aidax_content(exported: Exported) -> dict[str, Any]:
    """The file. Raises SpecError: another cell, an initial state."""
    weights = recurrent(exported, "AIDA-X", skip=True, state=False, gain=True, bends=True)
    spec = weights.spec
    front, behind = (list(map(_dense, said, arrays)) for said, arrays in
                     ((spec.front, weights.front), (spec.head, weights.head)))
    layers = [{"type": spec.kind.cell, "activation": "tanh", "shape": [None, None, spec.hidden_size],
               "weights": [numbers(array) for array in (layer.kernel, layer.recurrent_kernel, layer.bias)]}
              for layer in weights.layers]
    head = _dense_layer(1, "", weights.head_kernel, weights.head_bias)
    dry = _golden_dry()
    wet = float(linear_gain(exported.output_gain_db)) * ReferenceNetwork(weights).process(dry)
    return {
        "in_shape": [None, None, 1], "in_skip": int(spec.skip), "in_gain": 0.0, "out_gain": exported.output_gain_db,
        "samplerate": spec.sample_rate_hz, "metadata": {"name": exported.name, **exported.metadata},
        "layers": [*front, *layers, *behind, head],
        "input_batch": numbers(dry), "output_batch": numbers(wet.astype(np.float32)),
    }


def _dense(said: DenseLayer, arrays: DenseWeights) -> dict[str, Any]:
    return _dense_layer(said.units, said.activation, arrays.kernel, arrays.bias)


def _dense_layer(units: int, activation: str, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> dict[str, Any]:
    return {"type": "dense", "activation": activation, "shape": [None, None, units],
            "weights": [numbers(kernel), numbers(bias)]}


def _golden_dry() -> Any:
    """Noise that grows from silence to full scale."""
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, GOLDEN_SAMPLES)
    return (noise * np.linspace(0.0, 1.0, GOLDEN_SAMPLES)).astype(np.float32)
