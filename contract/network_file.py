"""A float network out of a ``.tflite`` pedal: the weights in our layout, so that the reference can play the file.

Reads what ``convert`` writes as ``float32`` and ``w8``. The integer file (``w8a8``) is another machine, with formats
of its own, and plays through :class:`neuralpedal.contract.reference_int8.Int8ReferenceNetwork`.
The graph must be exactly ours: an operator that is skipped here would be missing from the sound in silence.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.tflite_file import OperatorView, TfliteFile
from neuralpedal.contract.weights import GATES, Array, NetworkWeights, RecurrentWeights

LSTM_INPUTS = 24
KERNELS, RECURRENTS, BIASES = range(1, 5), range(5, 9), range(12, 16)
"""Places of the gates' tensors among the fused LSTM's inputs, in the order of ``weights.GATES``.
Source: tensorflow/lite/kernels/lstm_shared.h."""
STATE_H, STATE_C = 18, 19
_PRESENT = {0, *KERNELS, *RECURRENTS, *BIASES, STATE_H, STATE_C}

_DEQUANTIZE, _LSTM, _HEAD, _ADD = "DEQUANTIZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "FULLY_CONNECTED", "ADD"


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
              for operator in chain[: spec.num_layers]]
    head_kernel, head_bias = (constants.array(index) for index in chain[spec.num_layers].inputs[1:])
    try:
        return NetworkWeights(spec, tuple(map(_layer, layers)), head_kernel.T, head_bias)
    # Shapes that cannot be stacked, shapes of another network, weights that are no numbers.
    except ValueError as error:
        raise ModelFileError(f"{file.path}: its tensors contradict its manifest ({error}); convert it again") from error


def signal_chain(file: TfliteFile) -> tuple[OperatorView, ...]:
    """The operators that a sample passes, in order: the LSTM layers, the head, and ADD when the network has a skip.

    Raises:
        ModelFileError: as :func:`read_weights`.
    """
    spec = file.manifest().network
    chain = tuple(operator for operator in file.operators if operator.name != _DEQUANTIZE)
    wanted = [_LSTM] * spec.num_layers + [_HEAD] + [_ADD] * spec.skip
    found = [operator.name for operator in chain]
    if found != wanted:
        raise _foreign(file, f"operators {', '.join(found) or '(none)'}; wanted {', '.join(wanted)} for {spec.label}")
    if len(file.inputs) != 1 or len(file.outputs) != 1:
        raise _foreign(file, f"{len(file.inputs)} inputs and {len(file.outputs)} outputs; wanted one of each")
    _check_connections(file, chain, spec.num_layers)
    return chain


def _check_connections(file: TfliteFile, chain: Sequence[OperatorView], num_layers: int) -> None:
    """Each operator reads what the one before wrote; the skip reads the network's input as well."""
    signal = file.inputs[0]
    for index, operator in enumerate(chain):
        if index < num_layers:
            _check_lstm_inputs(file, operator)
        sources = operator.inputs[:1] if operator.name != _ADD else tuple(sorted(operator.inputs))
        wanted = (signal,) if operator.name != _ADD else tuple(sorted((signal, file.inputs[0])))
        if sources != wanted or len(operator.outputs) != 1:
            raise _foreign(file, f"operator {index} ({operator.name}) is connected otherwise than in our files")
        if operator.name == _HEAD and len(operator.inputs) != 3:
            raise _foreign(file, f"a head with {len(operator.inputs)} inputs; wanted 3")
        signal = operator.outputs[0]
    if signal != file.outputs[0]:
        raise _foreign(file, "an output that is not the last operator's")


def _check_lstm_inputs(file: TfliteFile, operator: OperatorView) -> None:
    present = {place for place, index in enumerate(operator.inputs) if index >= 0}
    if len(operator.inputs) != LSTM_INPUTS or present != _PRESENT:
        raise _foreign(file, "an LSTM with peepholes, projection, layer normalization or missing gates")


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
        if operator.name == _DEQUANTIZE:
            if len(operator.inputs) != 1 or len(operator.outputs) != 1:
                raise _foreign(file, "a DEQUANTIZE that is not one tensor to one tensor")
            yield operator.outputs[0], operator.inputs[0]


def _foreign(file: TfliteFile, found: str) -> ModelFileError:
    return ModelFileError(f"{file.path}: {found}; only files written by `neuralpedal convert` play here")
