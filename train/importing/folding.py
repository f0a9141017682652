"""What other formats have around the recurrent layers, taken into their weights: knobs, gains, linear layers.

A knob that stands still is a constant input, and a constant times its weights is a bias. A gain, or a linear layer, is
a matrix beside another matrix. All sums are made in float64 and rounded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.dense import DenseWeights
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.weights import Array, RecurrentWeights
from neuralpedal.train.importing.capture import float32

Matrix = NDArray[np.float64]
First = TypeVar("First", RecurrentWeights, DenseWeights)
"""What hears the input."""


@dataclass(frozen=True)
class Dense:
    """A dense layer as a file has it.

    Attributes:
        kernel: (inputs, outputs). bias: (outputs,). activation: by Keras's name; empty for a linear one.
    """

    kernel: Matrix
    bias: Matrix
    activation: str = ""


MOST_KNOBS = 3
_NAMES = (("gain", "drive", "knob1", "param1"), ("tone", "master", "knob2", "param2"), ("knob3", "param3"))
"""What users may call the further inputs, in order: the files themselves do not name them."""


def choose_knobs(path: Path, count: int, given: dict[str, float]) -> dict[str, float]:
    """The setting of each of ``count`` knobs by its first name, in order.

    Raises:
        SpecError: a knob without a setting, a name that is not there, a setting outside 0 to 1.
    """
    names = _NAMES[:count]
    settings: dict[str, float] = {}
    for name, value in given.items():
        place = next((same[0] for same in names if name.lower() in same), None)
        if place is None or place in settings:
            raise SpecError(f"{path}: --knob {name}: {'twice the same' if place else 'not one'} of its {count} knobs; "
                            f"they are {', '.join('/'.join(same) for same in names)}")
        if not 0.0 <= value <= 1.0:
            raise SpecError(f"{path}: --knob {name}={value:g}: wanted 0 to 1")
        settings[place] = value
    missing = [same[0] for same in names if same[0] not in settings]
    if missing:
        wanted = " ".join(f"--knob {name}=0.5" for name in missing)
        raise SpecError(f"{path}: was trained with {count} knob{'s' * (count > 1)}, whose setting is unknown; "
                        f"say for example {wanted}")
    return {same[0]: settings[same[0]] for same in names}


def fold_knobs(first: First, settings: dict[str, float]) -> First:
    """The first layer without the inputs after the audio, which stand at ``settings``."""
    constant = np.array(list(settings.values()), np.float64) @ first.kernel[1:].astype(np.float64)
    return replace(first, kernel=float32(first.kernel[:1]), bias=_raised(first.bias, constant))


def fold_before(first: RecurrentWeights, dense: Dense) -> RecurrentWeights:
    """The first layer with a linear layer in front of it."""
    kernel = first.kernel.astype(np.float64)
    return replace(first, kernel=float32(dense.kernel @ kernel), bias=_raised(first.bias, dense.bias @ kernel))


def fold_linear(path: Path, layers: Sequence[Dense]) -> tuple[list[Dense], Dense | None]:
    """The layers that bend, each with the linear ones before it taken in, and what linear ones are left at the end.

    Raises ModelFileError where they do not fit together.
    """
    bending: list[Dense] = []
    left: Dense | None = None
    for before, layer in zip([None, *layers], layers, strict=False):
        inputs, outputs = layer.kernel.shape[0], before.kernel.shape[1] if before else layer.kernel.shape[0]
        if inputs != outputs:
            raise ModelFileError(f"{path}: a dense layer of {inputs} inputs after {outputs} outputs")
        if left is not None:
            layer = replace(layer, kernel=left.kernel @ layer.kernel, bias=left.bias @ layer.kernel + layer.bias)
        left = None if layer.activation else layer
        bending += [layer] if layer.activation else []
    return bending, left


def fold_gains(first: First, head: tuple[Array, Array], skip: bool, input_db: float,
               output_db: float) -> tuple[First, tuple[Array, Array], float]:
    """First layer and head of a network with gains before and after it, and the gain in dB that they cannot take in.

    With a skip the input comes out times both gains: what is left is their sum, and the head gets what it then has
    too much taken away.
    """
    left_db = input_db + output_db if skip else 0.0
    before, after = 10.0 ** (input_db / 20.0), 10.0 ** ((output_db - left_db) / 20.0)
    kernel = float32(first.kernel.astype(np.float64) * before)
    return (replace(first, kernel=kernel),
            (float32(head[0].astype(np.float64) * after), float32(head[1].astype(np.float64) * after)), left_db)


def _raised(bias: Array, constant: Matrix) -> Array:
    """The bias, or a GRU's bias of the input, with something added."""
    raised = bias.astype(np.float64)
    if bias.ndim == 1:
        return float32(raised + constant)
    raised[0] += constant
    return float32(raised)
