"""The way of the signal through a ``.tflite`` pedal: which operator does what, and that nothing else is there.

The graph must be exactly one that ``convert`` writes: an operator that is skipped here would be missing from the sound
in silence. Two shapes exist (docs/file-format.md): streams, [1, T, ·] with state that is carried on, and frames,
[F, N, ·], where N windows of F samples are played from zero state and only their last step reaches the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.audio_code import CHANNELS
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.graph_plan import BEND_OPERATORS
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.tflite_file import OperatorView, TfliteFile

LSTM_INPUTS = 24
KERNELS, RECURRENTS, BIASES = range(1, 5), range(5, 9), range(12, 16)
"""Places of the gates' tensors among the fused LSTM's inputs, in the order of ``weights.GATES``.
Source: tensorflow/lite/kernels/lstm_shared.h."""
STATE_H, STATE_C = 18, 19
_PRESENT = {0, *KERNELS, *RECURRENTS, *BIASES, STATE_H, STATE_C}

DEQUANTIZE = "DEQUANTIZE"
_LSTM, _LAST_STEP, _HEAD, _ADD = "UNIDIRECTIONAL_SEQUENCE_LSTM", "GATHER", "FULLY_CONNECTED", "ADD"

_NO_ACTIVATION, _TANH = 0, 4
_OPTIONS: dict[str, dict[str, float]] = {
    _LSTM: {"fused_activation_function": _TANH, "cell_clip": 0, "proj_clip": 0, "asymmetric_quantize_inputs": 0,
            "diagonal_recurrent_tensors": 0},
    _HEAD: {"fused_activation_function": _NO_ACTIVATION, "weights_format": 0, "keep_num_dims": 1,
            "asymmetric_quantize_inputs": 0},
    _ADD: {"fused_activation_function": _NO_ACTIVATION},
    _LAST_STEP: {"axis": 0, "batch_dims": 0},
    **{operator: {} for operator in BEND_OPERATORS.values()},
}
"""What every file has; time_major goes by the family."""


@dataclass(frozen=True)
class SignalChain:
    """The operators that compute, in the order of the signal.

    Attributes:
        layers: one fused LSTM per layer.
        head: the dense layer on the last one's hidden state (of a frame network: on its last step).
        fine_head: the same sum in finer steps, in files with an ``audio_code``; then the player adds the dry signal.
        skip: adds the dry signal (of a frame network: the last sample of each window); None without a skip.
        front, bent: the sums of the dense layers before the recurrent ones, and of those between them and the head.
    """

    layers: tuple[OperatorView, ...]
    head: OperatorView
    skip: OperatorView | None
    fine_head: OperatorView | None = None
    front: tuple[OperatorView, ...] = ()
    bent: tuple[OperatorView, ...] = ()

    @property
    def states(self) -> tuple[int, ...]:
        """Tensor indices of all layers' h and c."""
        return tuple(layer.inputs[place] for layer in self.layers for place in (STATE_H, STATE_C))


def signal_chain(file: TfliteFile) -> SignalChain:
    """The checked chain of a file.

    Raises:
        ModelFileError: no manifest, a family without a fused operator, an operator, an option of one or a connection
            that ``convert`` does not write, a frame of another length than the manifest's.
    """
    manifest = file.manifest()
    spec = manifest.recurrent
    if spec.kind.graph != "fused":
        raise foreign(file, f"integer arithmetic with a {spec.label}, which has none")
    operators = tuple(operator for operator in file.operators if operator.name != DEQUANTIZE)
    _check_names(file, operators, manifest)
    _check_options(file, operators, manifest)
    walk = _Walk(file, operators)
    dry = signal = file.inputs[0]
    front, signal = walk.dense(signal, len(spec.front))
    layers = []
    for _ in range(spec.num_layers):
        layers.append(walk.step([signal], LSTM_INPUTS - 1))
        _check_lstm_inputs(file, layers[-1])
        signal = layers[-1].outputs[0]
    if spec.frame_samples:
        signal = walk.last_step(signal, spec.frame_samples)
    bent, signal = walk.dense(signal, len(spec.head))
    head = walk.step([signal], others=2)
    if manifest.audio_code:
        return SignalChain(tuple(layers), head, None, _fine_head(file, walk, signal, head))
    skip = None
    if spec.skip:
        dry = walk.last_step(dry, spec.frame_samples) if spec.frame_samples else dry
        skip = walk.step([head.outputs[0], dry])
    if (skip or head).outputs[0] != file.outputs[0]:
        raise foreign(file, "an output that is not the last operator's")
    return SignalChain(tuple(layers), head, skip, front=front, bent=bent)


def foreign(file: TfliteFile, found: str) -> ModelFileError:
    """The refusal of a graph that ``convert`` did not write."""
    return ModelFileError(f"{file.path}: {found}; only files written by `neuralpedal convert` play here")


def _fine_head(file: TfliteFile, walk: "_Walk", signal: int, head: OperatorView) -> OperatorView:
    fine = walk.step([signal], others=2)
    if fine.inputs != head.inputs:
        raise foreign(file, "a second head of other weights than the first")
    if file.outputs != (head.outputs[0], fine.outputs[0]):
        raise foreign(file, "outputs that are not the two heads'")
    return fine


def _check_names(file: TfliteFile, operators: Sequence[OperatorView], manifest: Manifest) -> None:
    spec, coarse_fine = manifest.recurrent, manifest.audio_code is not None
    last_step = [_LAST_STEP] * spec.kind.has_frame
    answer = [_HEAD, _HEAD] if coarse_fine else [_HEAD, *[*last_step, _ADD] * spec.skip]
    front, bent = ([operator for layer in layers for operator in (_HEAD, BEND_OPERATORS[layer.activation])]
                   for layers in (spec.front, spec.head))
    wanted = front + [_LSTM] * spec.num_layers + last_step + bent + answer
    found = [operator.name for operator in operators]
    if found != wanted:
        raise foreign(file, f"operators {', '.join(found) or '(none)'}; wanted {', '.join(wanted)} for {spec.label}")
    channels, answers = (CHANNELS, 2) if coarse_fine else (1, 1)
    if len(file.inputs) != 1 or len(file.outputs) != answers:
        raise foreign(file, f"{len(file.inputs)} inputs and {len(file.outputs)} outputs; wanted 1 and {answers}")
    shape = file.tensors[file.inputs[0]].shape
    if len(shape) != 3 or (shape[0], shape[2]) != (spec.frame_samples or 1, channels):
        raise foreign(file, f"an input of shape {list(shape)}; wanted [{spec.frame_samples or 1}, any, {channels}] for "
                            f"{spec.label}")


def _check_options(file: TfliteFile, operators: Sequence[OperatorView], manifest: Manifest) -> None:
    """An interpreter obeys options, such as a clip of the cell; a reference or a kernel of ours does not know them."""
    time_major = {"time_major": float(manifest.recurrent.kind.has_frame)}
    exact_skip = {"pot_scale_int16": 0.0} if manifest.scheme == TFLM16X8 else {}
    for operator in operators:
        wanted = {**_OPTIONS[operator.name], **{_LSTM: time_major, _ADD: exact_skip}.get(operator.name, {})}
        for name, value in wanted.items():
            if operator.options[name] != value:
                raise foreign(file, f"{operator.name} with {name} {operator.options[name]:g}; wanted {value:g}")


def _check_lstm_inputs(file: TfliteFile, operator: OperatorView) -> None:
    if {place for place, index in enumerate(operator.inputs) if index >= 0} != _PRESENT:
        raise foreign(file, "an LSTM with peepholes, projection, layer normalization or missing gates")


class _Walk:
    """Goes from operator to operator and sees to it that each reads what it should."""

    def __init__(self, file: TfliteFile, operators: Sequence[OperatorView]) -> None:
        self._file = file
        self._operators = iter(enumerate(operators))

    def step(self, signals: Sequence[int], others: int = 0) -> OperatorView:
        """The next operator, which must read ``signals`` (in any order), then ``others`` tensors, and write one."""
        index, operator = next(self._operators)
        read = operator.inputs[: len(signals)]
        if sorted(read) != sorted(signals) or (len(operator.inputs), len(operator.outputs)) != (len(read) + others, 1):
            raise foreign(self._file, f"operator {index} ({operator.name}) is connected otherwise than in our files")
        return operator

    def dense(self, signal: int, count: int) -> tuple[tuple[OperatorView, ...], int]:
        """The sums of the next ``count`` dense layers, and the tensor that the last one's activation gives."""
        sums = []
        for _ in range(count):
            sums.append(self.step([signal], others=2))
            signal = self.step([sums[-1].outputs[0]]).outputs[0]
        return tuple(sums), signal

    def last_step(self, signal: int, frame_samples: int) -> int:
        """The tensor with the last of ``frame_samples`` steps of ``signal``, which the next operator must take."""
        cut = self.step([signal], others=1)
        index = self._file.tensors[cut.inputs[1]].data
        if index is None or not np.array_equal(index, [frame_samples - 1]):
            raise foreign(self._file, f"a GATHER that does not take the last of {frame_samples} steps")
        return cut.outputs[0]
