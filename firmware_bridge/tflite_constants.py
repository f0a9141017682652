"""The numbers of a ``w8a8`` or ``tflm16x8`` file as integer kernels use them: zero points in biases, factors, shifts.

The file has passed the integer reference's checks before; here it is read once more, into what C tables hold.
"""

from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.fixed_point import Integers, quantize_multiplier
from neuralpedal.contract.integer_kernels import TFLM16X8, IntegerKernels, kernels_of
from neuralpedal.contract.reference_int8 import open_int8_reference
from neuralpedal.contract.reference_int8_layers import signal_code
from neuralpedal.contract.signal_chain import BIASES, KERNELS, RECURRENTS, STATE_C, STATE_H, signal_chain
from neuralpedal.contract.tflite_file import OperatorView, TensorView, TfliteFile

Factor = tuple[int, int]
"""(multiplier, shift): multiplier · 2^(shift − 31)."""

_INT32_LIMIT = 2**31


@dataclass(frozen=True)
class TfliteLayer:
    """One LSTM layer.

    Attributes:
        kernel, recurrent: (4·H, inputs), (4·H, H), by gate. heard_bias, recurrent_bias: (4·H,), zero points included.
        heard_factors, recurrent_factors: of the four gates. hidden_factor: of output gate times tanh.
        narrow: twice every sum, shifted to the left by its factor, fits 32 bits.
    """

    kernel: Integers
    recurrent: Integers
    heard_bias: Integers
    recurrent_bias: Integers
    heard_factors: tuple[Factor, ...]
    recurrent_factors: tuple[Factor, ...]
    hidden_factor: Factor
    cell_integer_bits: int
    hidden_zero_point: int
    narrow: bool


@dataclass(frozen=True)
class TfliteHead:
    """The dense head on one grid. ``weights``: (H,); ``bias`` with the zero point included."""

    weights: Integers
    bias: int
    factor: Factor
    target: AffineCode


@dataclass(frozen=True)
class TfliteAdd:
    """The skip: factors of head, dry signal and sum, computed with so many binary places."""

    head: Factor
    dry: Factor
    total: Factor
    left_shift: int


@dataclass(frozen=True)
class TfliteNetwork:
    """Everything that an integer player needs. ``heads``: one, or a coarse and a fine one."""

    input_code: AffineCode
    output_code: AffineCode
    layers: tuple[TfliteLayer, ...]
    heads: tuple[TfliteHead, ...]
    add: TfliteAdd | None


def read_tflite_network(file: TfliteFile, interpreter: str | None) -> TfliteNetwork:
    """The network as ``interpreter`` plays it.

    Raises:
        ModelFileError: another scheme, or a graph that is not ours. SpecError: the scheme has no such kernels.
        FirmwareError: sums beyond 32 bits.
    """
    open_int8_reference(file, interpreter)
    return _Reader(file, kernels_of(file.manifest().scheme, interpreter)).network()


class _Reader:
    def __init__(self, file: TfliteFile, kernels: IntegerKernels) -> None:
        self._file, self._kernels = file, kernels
        self._is_wide = file.manifest().scheme == TFLM16X8

    def network(self) -> TfliteNetwork:
        chain = signal_chain(self._file)
        heads = tuple(self._head(operator) for operator in (chain.head, chain.fine_head) if operator)
        return TfliteNetwork(
            self._code(self._file.inputs[0]), self._code(self._file.outputs[0]),
            tuple(self._layer(operator) for operator in chain.layers), heads,
            self._add(chain.skip, chain.head.outputs[0]) if chain.skip else None)

    def _layer(self, operator: OperatorView) -> TfliteLayer:
        source, hidden = self._code(operator.inputs[0]), self._code(operator.inputs[STATE_H])
        kernels, recurrents = ([self._tensor(operator.inputs[place]) for place in places]
                               for places in (KERNELS, RECURRENTS))
        kernel, recurrent = (np.concatenate([_values(tensor) for tensor in gates]) for gates in (kernels, recurrents))
        bias = np.concatenate([_values(self._tensor(operator.inputs[place])) for place in BIASES])
        heard_bias = bias - source.zero_point * kernel.sum(axis=1)
        recurrent_bias = -hidden.zero_point * recurrent.sum(axis=1)
        heard, own = ([self._gate_factor(tensor, code) for tensor in gates]
                      for gates, code in ((kernels, source), (recurrents, hidden)))
        cell_scale = float(self._tensor(operator.inputs[STATE_C]).scales[0])
        reach = [self._reach(kernel, heard_bias), self._reach(recurrent, recurrent_bias)]
        narrow = not self._is_wide and all(
            np.all(rows << max(shift, 0) < _INT32_LIMIT // 2)
            for side, factors in zip(reach, (heard, own), strict=True)
            for rows, (_, shift) in zip(side.reshape(4, -1), factors, strict=True))
        return TfliteLayer(kernel, recurrent, heard_bias, recurrent_bias, tuple(heard), tuple(own),
                           quantize_multiplier(self._kernels.hidden_factor(hidden.scale)),
                           15 + round(np.log2(cell_scale)), hidden.zero_point, narrow)

    def _head(self, operator: OperatorView) -> TfliteHead:
        source, target = self._code(operator.inputs[0]), self._code(operator.outputs[0])
        kernel, bias = (self._tensor(index) for index in operator.inputs[1:3])
        weights = _values(kernel)[0]
        total = int(_values(bias)[0]) - source.zero_point * int(weights.sum())
        self._reach(weights[np.newaxis], np.array([total]))
        factor = quantize_multiplier(source.scale * float(kernel.scales[0]) / target.scale)
        return TfliteHead(weights, total, self._wide(factor), target)

    def _add(self, operator: OperatorView, head_index: int) -> TfliteAdd:
        dry_index = next(index for index in operator.inputs if index != head_index)
        head, dry, target = (self._code(index).scale for index in (head_index, dry_index, operator.outputs[0]))
        common, left_shift = 2.0 * max(head, dry), self._kernels.add_left_shift
        return TfliteAdd(quantize_multiplier(head / common), quantize_multiplier(dry / common),
                         quantize_multiplier(common / ((1 << left_shift) * target)), left_shift)

    def _gate_factor(self, matrix: TensorView, source: AffineCode) -> Factor:
        scale = np.float32(source.scale)
        return self._wide(quantize_multiplier(self._kernels.gate_factor(scale, matrix.scales[0])))

    def _wide(self, factor: Factor) -> Factor:
        """With 64-bit accumulators the multiplier is rounded to 16 bits."""
        multiplier, shift = factor
        return (min((multiplier + (1 << 15)) >> 16, 0x7FFF), shift + 16) if self._is_wide else factor

    def _reach(self, weights: Integers, bias: Integers) -> Integers:
        """The largest magnitude of each row's sum."""
        limits = np.iinfo(self._kernels.signal)
        reach: Integers = np.abs(bias) + np.abs(weights).sum(axis=1) * -int(limits.min)
        if np.max(reach) >= _INT32_LIMIT:
            raise FirmwareError(f"{self._file.path}: sums of up to {np.max(reach)} do not fit 32 bits; convert the "
                                "model to w8a16 or w8 instead")
        return reach

    def _code(self, index: int) -> AffineCode:
        return signal_code(self._file, index, self._kernels)

    def _tensor(self, index: int) -> TensorView:
        return self._file.tensors[index]


def _values(tensor: TensorView) -> Integers:
    return np.asarray(tensor.data, dtype=np.int64)
