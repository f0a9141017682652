"""Reads a file whose layers are played in a loop (contract/loop_plan.py)."""

from collections.abc import Mapping, Sequence

import numpy as np

from neuralpedal.contract.constants import Constants
from neuralpedal.contract.dense import DenseWeights
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.graph_plan import dense_name
from neuralpedal.contract.loop_plan import HEAD_BIAS, HEAD_KERNEL, loop_plans, weight_name
from neuralpedal.contract.planned_file import check_planned
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import Array, NetworkWeights, RecurrentWeights


def check_loop(file: TfliteFile) -> Sequence[Mapping[str, int]]:
    """Compare a file with what its manifest's network asks for; each graph's tensors by name, the body's last.

    Raises:
        ModelFileError: anything is otherwise than ``convert`` writes it.
    """
    return check_planned(file, loop_plans(file.manifest().recurrent))


def read_loop_weights(file: TfliteFile) -> NetworkWeights:
    """The network of a file. Raises ModelFileError as :func:`check_loop`, and for damaged weights."""
    tensors, spec = check_loop(file), file.manifest().recurrent
    main, body = Constants(file, file), Constants(file, file.called[-1])

    def array(name: str) -> Array:
        return body.array(tensors[-1][name])

    def dense(place: str, count: int, constants: Constants, found: Mapping[str, int]) -> tuple[DenseWeights, ...]:
        arrays = [[constants.array(found[dense_name(place, index, name)]) for name in ("kernel", "bias")]
                  for index in range(count)]
        return tuple(DenseWeights(kernel.T, bias) for kernel, bias in arrays)

    layers = []
    for layer in range(spec.num_layers):
        biases = [array(weight_name(layer, f"bias_{row}")) for row in range(spec.kind.bias_rows)]
        layers.append(RecurrentWeights(array(weight_name(layer, "kernel")).T,
                                       array(weight_name(layer, "recurrent_kernel")).T,
                                       np.stack(biases) if len(biases) > 1 else biases[0]))
    try:
        return NetworkWeights(spec, tuple(layers), array(HEAD_KERNEL).T, array(HEAD_BIAS),
                              front=dense("front", len(spec.front), main, tensors[0]),
                              head=dense("head", len(spec.head), body, tensors[-1]))
    except SpecError as error:
        raise ModelFileError(f"{file.path}: its tensors contradict its manifest ({error}); convert it again") from error
