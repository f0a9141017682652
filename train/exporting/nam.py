"""Neural Amp Modeler's ``.nam``: an LSTM, its initial state a part of it, or a WaveNet.

Source: github.com/sdatkinson/neural-amp-modeler (nam/models/recurrent.py).
"""

from typing import Any

import numpy as np

from neuralpedal.contract.wavenet import FAMILY as WAVENET
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.train.exporting.layout import Exported, numbers, refuse
from neuralpedal.train.exporting.nam_wavenet import wavenet_fields

_VERSION = "0.5.4"
"""Of the format: the last that players of 2023 read as well."""


def nam_content(exported: Exported) -> dict[str, Any]:
    """The file. Raises SpecError: another cell, a skip, a gain."""
    refuse(exported, "NAM", ("lstm", WAVENET), skip=False, state=True, gain=False, bends=False)
    weights = exported.weights
    network = wavenet_fields(weights) if isinstance(weights, WaveNetWeights) else _lstm_fields(weights)
    return {**network, "metadata": {"name": exported.name, **exported.metadata},
            "sample_rate": weights.spec.sample_rate_hz}


def _lstm_fields(weights: NetworkWeights) -> dict[str, Any]:
    h, flat = weights.spec.hidden_size, []
    for layer, state in zip(weights.layers, weights.first_states(1), strict=True):
        flat += [np.concatenate([layer.kernel, layer.recurrent_kernel]).T, layer.bias, *state]
    flat += [weights.head_kernel, weights.head_bias]
    return {
        "version": _VERSION,
        "architecture": "LSTM",
        "config": {"input_size": 1, "hidden_size": h, "num_layers": weights.spec.num_layers},
        "weights": numbers(np.concatenate([array.ravel() for array in flat])),
    }
