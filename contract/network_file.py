"""A float network out of a ``.tflite`` pedal: the weights in our layout, so that the reference can play the file.

Reads what ``convert`` writes as ``float32`` and ``w8``. The integer file (``w8a8``) is another machine, with formats
of its own, and plays through :func:`neuralpedal.contract.reference_int8.open_int8_reference`.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.signal_chain import BIASES, DEQUANTIZE, KERNELS, RECURRENTS, foreign, signal_chain
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.weights import GATES, Array, NetworkWeights, RecurrentWeights


def read_weights(file: TfliteFile) -> NetworkWeights:
    """The network that a ``float32`` or ``w8`` file plays; int8 weights come back as what they stand for.

    Raises:
        ModelFileError: no manifest, an integer file, an operator or a connection that ``convert`` does not write,
            weights that do not fit the manifest's network.
    """
    spec = file.manifest().network
    constants = _Constants(file)
    chain = signal_chain(file)
    layers = [[constants.array(operator.inputs[place]) for place in (*KERNELS, *RECURRENTS, *BIASES)]
              for operator in chain.layers]
    head_kernel, head_bias = (constants.array(index) for index in chain.head.inputs[1:])
    try:
        return NetworkWeights(spec, tuple(map(_layer, layers)), head_kernel.T, head_bias)
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


class _Constants:
    """Constants by the tensor index that operators read, looking through DEQUANTIZE."""

    def __init__(self, file: TfliteFile) -> None:
        self._file = file
        self._sources = dict(_expansions(file))

    def array(self, index: int) -> Array:
        """The constant as float32. Raises ModelFileError when it is missing or belongs to an integer file."""
        expanded = index in self._sources
        tensor = self._file.tensors[self._sources.get(index, index)]
        is_float = tensor.dtype == np.float32
        if tensor.data is None or not (is_float or (expanded and len(tensor.scales))):
            found = "no constant" if tensor.data is None else f"{np.dtype(tensor.dtype).name} arithmetic"
            raise ModelFileError(
                f"{self._file.path}: tensor {tensor.name!r} holds {found}; only float32 and w8 files give weights "
                f"(this one says {self._file.manifest().scheme})"
            )
        return np.asarray(tensor.dequantized(), dtype=np.float32)


def _expansions(file: TfliteFile) -> Iterator[tuple[int, int]]:
    """(expanded tensor, stored tensor) of every DEQUANTIZE."""
    for operator in file.operators:
        if operator.name == DEQUANTIZE:
            if len(operator.inputs) != 1 or len(operator.outputs) != 1:
                raise foreign(file, "a DEQUANTIZE that is not one tensor to one tensor")
            yield operator.outputs[0], operator.inputs[0]
