"""A WaveNet as NAM writes it: A1's words where they suffice, A2's where layers or heads differ.

Source: github.com/sdatkinson/neural-amp-modeler (nam/models/wavenet), NeuralAmpModelerCore (NAM/wavenet).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.wavenet import LEAKY_SLOPE, ConvArray
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.train.exporting.layout import numbers
from neuralpedal.train.importing.nam_wavenet import ACTIVATION_NAMES

_VERSION_A1, _VERSION_A2 = "0.5.4", "0.7.0"
_NAMES = {ours: theirs for theirs, ours in ACTIVATION_NAMES.items()}


def wavenet_fields(weights: WaveNetWeights) -> dict[str, Any]:
    """``version``, ``architecture``, ``config`` and ``weights`` of the file."""
    spec = weights.spec
    is_a1 = all(_is_a1(array) for array in spec.arrays)
    arrays = [{"input_size": inputs, "condition_size": 1, "channels": array.channels,
               "dilations": list(array.dilations), **(_a1_fields(array) if is_a1 else _a2_fields(array))}
              for array, inputs in zip(spec.arrays, spec.array_input_sizes, strict=True)]
    return {"version": _VERSION_A1 if is_a1 else _VERSION_A2, "architecture": "WaveNet",
            "config": {"layers": arrays, "head": None, "head_scale": spec.head_scale},
            "weights": numbers(flat_weights(weights))}


def flat_weights(weights: WaveNetWeights) -> NDArray[np.float32]:
    """A network's weights in NAM's order, the scale of the head last."""
    parts = [array.transpose().ravel() for array in weights.arrays()]
    return np.concatenate([*parts, np.array([weights.spec.head_scale])]).astype(np.float32)


def _is_a1(array: ConvArray) -> bool:
    return array.head_kernel_size == 1 and len(set(array.kernel_sizes)) == 1 and array.activation != "leaky_relu"


def _a1_fields(array: ConvArray) -> dict[str, Any]:
    return {"head_size": array.head_size, "head_bias": array.head_bias, "kernel_size": array.kernel_sizes[0],
            "activation": _NAMES[array.activation], "gated": array.gated}


def _a2_fields(array: ConvArray) -> dict[str, Any]:
    layers = len(array.dilations)
    activation = {"type": _NAMES[array.activation],
                  **({"negative_slope": LEAKY_SLOPE} if array.activation == "leaky_relu" else {})}
    # NAM Core's quick player of A2 wants the middle and the way on said, though both are what a reader assumes.
    return {"bottleneck": array.channels, "layer1x1": {"active": True, "groups": 1},
            "head": {"out_channels": array.head_size, "kernel_size": array.head_kernel_size, "bias": array.head_bias},
            "kernel_sizes": list(array.kernel_sizes), "activation": [activation] * layers,
            "gating_mode": ["gated" if array.gated else "none"] * layers}
