"""Neural Amp Modeler's ``.nam``: an LSTM, its initial state a part of it.

Source: github.com/sdatkinson/neural-amp-modeler (nam/models/recurrent.py).
"""

from typing import Any

import numpy as np

from neuralpedal.train.exporting.layout import Exported, numbers, refuse

_VERSION = "0.5.4"
"""Of the format: the last that players of 2023 read as well."""


def nam_content(exported: Exported) -> dict[str, Any]:
    """The file. Raises SpecError: another cell, a skip, a gain."""
    refuse(exported, "NAM", ("lstm",), skip=False, state=True, gain=False)
    weights, h = exported.weights, exported.weights.spec.hidden_size
    flat = []
    for layer, state in zip(weights.layers, weights.first_states(1), strict=True):
        flat += [np.concatenate([layer.kernel, layer.recurrent_kernel]).T, layer.bias, *state]
    flat += [weights.head_kernel, weights.head_bias]
    return {
        "version": _VERSION,
        "metadata": {"name": exported.name, **exported.metadata},
        "architecture": "LSTM",
        "config": {"input_size": 1, "hidden_size": h, "num_layers": weights.spec.num_layers},
        "weights": numbers(np.concatenate([array.ravel() for array in flat])),
        "sample_rate": weights.spec.sample_rate_hz,
    }
