"""A float network out of a ``.tflite`` pedal: the weights in our layout, so that the reference can play the file.

Reads what ``convert`` writes as ``float32`` and ``w8``. The integer file (``w8a8``) is another machine, with formats
of its own, and plays through :func:`neuralpedal.contract.reference_int8.open_int8_reference`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.constants import Constants
from neuralpedal.contract.dense import DenseWeights
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.initial_state import checked_initial_state
from neuralpedal.contract.loop_file import check_loop, read_loop_weights
from neuralpedal.contract.signal_chain import BIASES, KERNELS, RECURRENTS, signal_chain
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet_file import check_wavenet, read_wavenet_weights
from neuralpedal.contract.weights import GATES, Array, NetworkWeights, RecurrentWeights


def read_weights(file: TfliteFile) -> AnyWeights:
    """The network that a ``float32`` or ``w8`` file plays; int8 weights come back as what they stand for.

    Raises:
        ModelFileError: no manifest, an integer file, an operator or a connection that ``convert`` does not write,
            weights that do not fit the manifest's network.
    """
    return _READERS[file.manifest().network.graph](file)


def check_graph(file: TfliteFile) -> None:
    """See to it that a file of any scheme holds the graph of its manifest's network and nothing else.

    Raises:
        ModelFileError: as :func:`read_weights`, weights not looked at.
    """
    _CHECKS[file.manifest().network.graph](file)


def _read_fused(file: TfliteFile) -> NetworkWeights:
    spec = file.manifest().recurrent
    constants = Constants(file, file)
    chain = signal_chain(file)
    layers = [[constants.array(operator.inputs[place]) for place in (*KERNELS, *RECURRENTS, *BIASES)]
              for operator in chain.layers]
    head_kernel, head_bias = (constants.array(index) for index in chain.head.inputs[1:])
    front, bent = ([[constants.array(index) for index in operator.inputs[1:]] for operator in operators]
                   for operators in (chain.front, chain.bent))
    try:
        return NetworkWeights(spec, tuple(map(_layer, layers)), head_kernel.T, head_bias,
                              checked_initial_state(spec, file.manifest().initial_state),
                              *(tuple(DenseWeights(kernel.T, bias) for kernel, bias in dense)
                                for dense in (front, bent)))
    # Shapes that cannot be stacked, shapes of another network, weights that are no numbers.
    except ValueError as error:
        raise ModelFileError(f"{file.path}: its tensors contradict its manifest ({error}); convert it again") from error


def _layer(arrays: Sequence[Array]) -> RecurrentWeights:
    """Stack the gates' matrices side by side, transposed from TFLite's (outputs, inputs).

    ``arrays``: kernels, recurrent kernels and biases of the four gates, in this order.
    """
    def stacked(first: int) -> Array:
        return np.concatenate([array.T for array in arrays[first : first + len(GATES)]], axis=-1)

    return RecurrentWeights(stacked(0), stacked(len(GATES)), stacked(2 * len(GATES)))


def read_recurrent_weights(file: TfliteFile) -> NetworkWeights:
    """As :func:`read_weights`, for those who know recurrent networks alone. Raises ModelFileError for another."""
    weights = read_weights(file)
    if not isinstance(weights, NetworkWeights):
        raise ModelFileError(f"{file.path}: holds a {weights.spec.label}, wanted a recurrent network")
    return weights


_READERS: dict[str, Callable[[TfliteFile], AnyWeights]] = {
    "fused": _read_fused, "fused_dense": _read_fused, "loop": read_loop_weights, "convolutions": read_wavenet_weights,
}
_CHECKS: dict[str, Callable[[TfliteFile], object]] = {
    "fused": signal_chain, "fused_dense": signal_chain, "loop": check_loop, "convolutions": check_wavenet,
}
"""By the graph of the family."""
