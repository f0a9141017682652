"""The layers of an integer network, written out: fused LSTM, dense head, skip, each over a whole block.

Follows TFLite's integer kernels (LSTM 8×8→16 and 16×8→16, FULLY_CONNECTED, ADD) without their code; how those of LiteRT
and tflite-micro differ stands in ``integer_kernels.py``. Within a layer the input's share of the gates is computed for
all samples at once; only the recurrent share needs a loop over samples.
Matrix products run in float64, where sums of such products are exact.
Sources: tensorflow/lite/kernels/{lstm_eval.cc, fully_connected.cc, add.cc, internal/reference/integer_ops/add.h};
tensorflow/lite/micro/kernels/{lstm_eval.h, lstm_eval_common.cc, fully_connected_common.cc, add_common.cc}.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode, code_of
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.fixed_point import (
    INT16_MAX,
    INT16_MIN,
    Integers,
    QuantizedMultiplier,
    quantize_multiplier,
    saturate,
)
from neuralpedal.contract.initial_state import LayerState
from neuralpedal.contract.integer_kernels import IntegerKernels
from neuralpedal.contract.signal_chain import BIASES, KERNELS, RECURRENTS, STATE_C, STATE_H
from neuralpedal.contract.tflite_file import OperatorView, TensorView, TfliteFile

_GATE_INTEGER_BITS = 3


class IntegerLstm:
    """One LSTM layer: integers in, a hidden state of the same type out, an int16 cell state inside.

    Signals are (T, inputs), or (T, lanes, inputs) for lanes that are computed side by side; the state is (H,) or
    (lanes, H) accordingly.

    Args:
        inputs, hidden_size: what the manifest says of the layer.
        beginning: the state that it begins in, from the manifest; None for zero state.
        kernels: whose arithmetic to follow.

    Raises:
        ModelFileError: a tensor of another type, size or quantization.
    """

    def __init__(self, file: TfliteFile, operator: OperatorView, inputs: int, hidden_size: int,
                 kernels: IntegerKernels, beginning: LayerState | None = None) -> None:
        h = self._size = hidden_size
        self._kernels, self._signal, self._int16 = kernels, _Saturation(kernels.signal), _Saturation(np.int16)
        source = signal_code(file, operator.inputs[0], kernels)
        self._hidden = signal_code(file, operator.inputs[STATE_H], kernels)
        matrices = [_constant(file, operator.inputs[place], np.int8, (h, inputs)) for place in KERNELS]
        recurrents = [_constant(file, operator.inputs[place], np.int8, (h, h)) for place in RECURRENTS]
        biases = [_constant(file, operator.inputs[place], kernels.bias, (h,)) for place in BIASES]
        self._kernel = _stacked(matrices)
        self._recurrent = _stacked(recurrents)
        self._zero_point = np.array(self._hidden.zero_point)
        # The zero points of input and hidden state are folded into the biases, as the kernel does.
        self._input_bias = np.concatenate([_values(bias) for bias in biases]) - source.zero_point * _sums(self._kernel)
        self._hidden_bias = -self._hidden.zero_point * _sums(self._recurrent)
        self._input_share = kernels.rescale_gates(*_gate_multipliers(matrices, source, h, kernels))
        self._hidden_share = kernels.rescale_gates(*_gate_multipliers(recurrents, self._hidden, h, kernels))
        self._output = QuantizedMultiplier(*quantize_multiplier(kernels.hidden_factor(self._hidden.scale)))
        integer_bits = _cell_integer_bits(file, file.tensors[operator.inputs[STATE_C]], kernels.max_cell_integer_bits)
        self._divide = kernels.divide(np.repeat([15 + integer_bits, 15], h))
        self._tanh = np.roll(kernels.tanh(integer_bits), INT16_MIN)
        # One table look-up for all gates: sigmoid for i, f and o, tanh for the candidate in the third place.
        self._activations = np.concatenate([kernels.sigmoid(), kernels.tanh(_GATE_INTEGER_BITS)])
        self._first_entry = np.repeat([0, 0, len(kernels.sigmoid()), 0], h) - INT16_MIN
        cell = AffineCode(2.0 ** (integer_bits - 15), 0, np.int16)
        hidden_values, cell_values = beginning or (np.zeros(h), np.zeros(h))
        self._first_hidden = self._hidden.encode(hidden_values).astype(np.float64)
        self._first_cell = cell.encode(cell_values).astype(np.int64)
        self.reset()

    def reset(self, lanes: tuple[int, ...] = ()) -> None:
        """The state that it begins in (zero is the hidden state's zero point), for one signal or for ``lanes``."""
        n = self._size
        self.h: NDArray[np.float64] = np.broadcast_to(self._first_hidden, (*lanes, n)).copy()
        # The candidate stands beside the cell as the input gate stands beside the forget gate: one product for both.
        self._candidate_and_cell: Integers = np.zeros((*lanes, 2 * n), dtype=np.int64)
        self.c[...] = self._first_cell

    @property
    def c(self) -> Integers:
        """The cell state, (H,) or (lanes, H)."""
        return self._candidate_and_cell[..., self._size :]

    def process(self, signal: Integers) -> Integers:
        """(T, inputs) to (T, H), or (T, lanes, inputs) to (T, lanes, H)."""
        accumulated = _matmul(signal, self._kernel) + self._input_bias
        shares = saturate(self._input_share(accumulated), INT16_MIN, INT16_MAX)
        hidden = np.empty((*signal.shape[:-1], self._size), dtype=np.int64)
        for share, row in zip(shares, hidden, strict=True):
            self._step(share, row)
        return hidden

    def _step(self, input_share: Integers, hidden: Integers) -> None:
        """Advance the state by one sample, from the input's share of the gates (…, 4H) in Q3.12; h goes to ``hidden``.

        What takes time is the number of calls into NumPy, and every constant that is no array yet.
        """
        n, int16 = self._size, self._int16
        hidden_share = self._hidden_share((self.h @ self._recurrent).astype(np.int64) + self._hidden_bias)
        if self._kernels.saturates_shares:
            hidden_share = int16(hidden_share)
        opened = self._activations[int16(hidden_share + input_share) + self._first_entry]
        self._candidate_and_cell[..., :n] = opened[..., 2 * n : 3 * n]
        parts = self._divide(opened[..., : 2 * n] * self._candidate_and_cell)
        cell = self.c
        cell[...] = int16(parts[..., :n] + parts[..., n:])
        # The table starts at 0: negative cells are looked up from its end.
        answer = self._output.apply(opened[..., 3 * n :] * self._tanh[cell]) + self._zero_point
        hidden[...] = self._signal(answer)
        self.h = hidden.astype(np.float64)


class _Saturation:
    """Clamps to the range of an integer type."""

    def __init__(self, dtype: Any) -> None:
        limits = np.iinfo(dtype)
        self._low, self._high = np.array(int(limits.min)), np.array(int(limits.max))

    def __call__(self, values: Integers) -> Integers:
        return np.minimum(np.maximum(values, self._low), self._high)


class IntegerHead:
    """The dense head: (T, H) to (T,). Raises as :class:`IntegerLstm`."""

    def __init__(self, file: TfliteFile, operator: OperatorView, hidden_size: int, kernels: IntegerKernels) -> None:
        source, self._target = (signal_code(file, index, kernels) for index in (operator.inputs[0],
                                                                               operator.outputs[0]))
        self._limits = np.iinfo(kernels.signal)
        kernel = _constant(file, operator.inputs[1], np.int8, (1, hidden_size))
        self._kernel = _stacked([kernel])
        bias = _constant(file, operator.inputs[2], kernels.bias, (1,))
        self._bias = _values(bias) - source.zero_point * _sums(self._kernel)
        factor = source.scale * float(kernel.scales[0]) / self._target.scale
        self._rescale = kernels.rescale_head(*quantize_multiplier(factor))

    def process(self, signal: Integers) -> Integers:
        """One output per hidden state."""
        accumulated = _matmul(signal, self._kernel)[:, 0] + self._bias[0]
        scaled = self._rescale(accumulated) + self._target.zero_point
        return saturate(scaled, self._limits.min, self._limits.max)


class IntegerAdd:
    """The skip: head plus dry, each on its own grid. Raises as :class:`IntegerLstm`."""

    def __init__(self, file: TfliteFile, operator: OperatorView, head_index: int, kernels: IntegerKernels) -> None:
        dry_index = next(index for index in operator.inputs if index != head_index)
        self._inputs = [signal_code(file, index, kernels) for index in (head_index, dry_index)]
        self._target = signal_code(file, operator.outputs[0], kernels)
        self._limits, self._left_shift = np.iinfo(kernels.signal), kernels.add_left_shift
        common = 2.0 * max(code.scale for code in self._inputs)
        self._factors = [QuantizedMultiplier(*quantize_multiplier(code.scale / common)) for code in self._inputs]
        output_factor = common / ((1 << self._left_shift) * self._target.scale)
        self._output = QuantizedMultiplier(*quantize_multiplier(output_factor))

    def process(self, head: Integers, dry: Integers) -> Integers:
        """(T,) and (T,) to (T,)."""
        total = np.zeros_like(head)
        for signal, code, factor in zip((head, dry), self._inputs, self._factors, strict=True):
            total += factor.apply((signal - code.zero_point) << self._left_shift)
        scaled = self._output.apply(total) + self._target.zero_point
        return saturate(scaled, self._limits.min, self._limits.max)


def _gate_multipliers(matrices: list[TensorView], source: AffineCode, hidden_size: int,
                      kernels: IntegerKernels) -> list[NDArray[np.int64]]:
    """Multiplier and shift of every column of the stacked gates, from the accumulator to Q3.12."""
    scale = np.float32(source.scale)
    pairs = [quantize_multiplier(kernels.gate_factor(scale, matrix.scales[0])) for matrix in matrices]
    return [np.repeat(column, hidden_size) for column in zip(*pairs, strict=True)]


def _matmul(rows: Integers, matrix: NDArray[np.float64]) -> Integers:
    return (rows.astype(np.float64) @ matrix).astype(np.int64)


def _stacked(matrices: list[TensorView]) -> NDArray[np.float64]:
    """(outputs, inputs) constants as one (inputs, all outputs) matrix."""
    return np.concatenate([_values(matrix) for matrix in matrices]).T.astype(np.float64)


def _sums(matrix: NDArray[np.float64]) -> Integers:
    return np.sum(matrix, axis=0).astype(np.int64)


def _values(tensor: TensorView) -> Integers:
    return np.asarray(tensor.data, dtype=np.int64)


def _constant(file: TfliteFile, index: int, dtype: Any, shape: tuple[int, ...]) -> TensorView:
    tensor = file.tensors[index]
    if tensor.dtype != dtype or tensor.data is None or len(tensor.scales) != 1:
        raise ModelFileError(
            f"{file.path}: {tensor.name} is no {np.dtype(dtype).name} constant with one scale; the integer reference "
            "plays w8a8 and tflm16x8 files only"
        )
    if tensor.shape != shape:
        raise ModelFileError(f"{file.path}: {tensor.name} has shape {tensor.shape}, but its manifest's network wants "
                             f"{shape}; convert it again")
    return tensor


def signal_code(file: TfliteFile, index: int, kernels: IntegerKernels) -> AffineCode:
    """The format of a signal. Raises ModelFileError when it is not what the kernels take."""
    tensor = file.tensors[index]
    if tensor.dtype != kernels.signal:
        raise ModelFileError(f"{file.path}: {tensor.name} is not {np.dtype(kernels.signal).name}; the integer "
                             "reference plays w8a8 and tflm16x8 files only")
    return code_of(tensor, str(file.path))


def _cell_integer_bits(file: TfliteFile, tensor: TensorView, most: int) -> int:
    """m of the cell's format Qm.(15−m)."""
    bits = 15 + int(np.log2(tensor.scales[0])) if tensor.dtype == np.int16 and len(tensor.scales) == 1 else -1
    if not 0 <= bits <= most or 2.0 ** (bits - 15) != tensor.scales[0]:
        raise ModelFileError(f"{file.path}: {tensor.name} is not int16 with a power of two from 2^-15 to "
                             f"2^{most - 15} as its scale; convert it again")
    return bits
