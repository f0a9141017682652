"""Reads a file whose layers are played in a loop (contract/loop_plan.py)."""

from collections.abc import Mapping

import numpy as np

from neuralpedal.contract.constants import Constants
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.loop_plan import HEAD_BIAS, HEAD_KERNEL, loop_plans, weight_name
from neuralpedal.contract.planned_file import check_planned
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import Array, NetworkWeights, RecurrentWeights


def check_loop(file: TfliteFile) -> Mapping[str, int]:
    """Compare a file with what its manifest's network asks for; the body's tensors that hold weights, by name.

    Raises:
        ModelFileError: anything is otherwise than ``convert`` writes it.
    """
    return check_planned(file, loop_plans(file.manifest().recurrent))[-1]


def read_loop_weights(file: TfliteFile) -> NetworkWeights:
    """The network of a file. Raises ModelFileError as :func:`check_loop`, and for damaged weights."""
    tensors, spec = check_loop(file), file.manifest().recurrent
    constants = Constants(file, file.called[-1])

    def array(name: str) -> Array:
        return constants.array(tensors[name])

    layers = []
    for layer in range(spec.num_layers):
        biases = [array(weight_name(layer, f"bias_{row}")) for row in range(spec.kind.bias_rows)]
        layers.append(RecurrentWeights(array(weight_name(layer, "kernel")).T,
                                       array(weight_name(layer, "recurrent_kernel")).T,
                                       np.stack(biases) if len(biases) > 1 else biases[0]))
    try:
        return NetworkWeights(spec, tuple(layers), array(HEAD_KERNEL).T, array(HEAD_BIAS))
    except SpecError as error:
        raise ModelFileError(f"{file.path}: its tensors contradict its manifest ({error}); convert it again") from error
