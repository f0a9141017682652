"""The integer network, written out: what a ``w8a8`` file must give, bit for bit.

Follows TFLite's integer kernels (LSTM 8×8→16, FULLY_CONNECTED, ADD) without their code. The layers are computed one
after the other over the whole block, and within a layer the input's share of the gates for all samples at once,
because no later layer influences an earlier one; only the recurrent share needs a loop over samples.
Matrix products run in float64, where sums of int8 products are exact.
Sources: tensorflow/lite/kernels/{lstm_eval.cc, fully_connected.cc, add.cc, internal/reference/integer_ops/add.h}.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode, code_of
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.fixed_point import (
    INT8_MAX,
    INT8_MIN,
    INT16_MAX,
    INT16_MIN,
    MAX_TANH_INTEGER_BITS,
    Integers,
    QuantizedMultiplier,
    multiply_rounding_once,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    saturate,
    sigmoid_table,
    tanh_table,
)
from neuralpedal.contract.network_file import BIASES, KERNELS, RECURRENTS, STATE_C, STATE_H, signal_chain
from neuralpedal.contract.tflite_file import OperatorView, TensorView, TfliteFile

_GATE_SCALE = np.float32(2.0**-12)
_GATE_INTEGER_BITS = 3
_ADD_LEFT_SHIFT = 20


class Int8ReferenceNetwork:
    """A streaming integer network that remembers its state between calls.

    Args:
        file: a ``w8a8`` file.

    Raises:
        ModelFileError: another scheme, or a graph that is not ours.

    Attributes:
        input_code, output_code: the formats of the int8 audio.
    """

    def __init__(self, file: TfliteFile) -> None:
        try:
            self._read(file)
        # Which of these a damaged constant or scale raises depends on where it is met; all of it means the same.
        except (ValueError, OverflowError, IndexError, ZeroDivisionError, TypeError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"{file.path}: its integer network is damaged ({error}); convert it again") from error

    def _read(self, file: TfliteFile) -> None:
        chain = signal_chain(file)
        num_layers = file.manifest().network.num_layers
        self.input_code = _code(file, file.inputs[0])
        self.output_code = _code(file, file.outputs[0])
        self._layers = [_IntegerLstm(file, operator) for operator in chain[:num_layers]]
        self._head = _IntegerHead(file, chain[num_layers])
        self._skip = _IntegerAdd(file, chain[-1], file.inputs[0]) if file.manifest().network.skip else None

    def reset(self) -> None:
        """Back to zero state (the hidden state's zero point)."""
        for layer in self._layers:
            layer.reset()

    def process(self, samples: NDArray[np.int8]) -> NDArray[np.int8]:
        """Stream (T,) int8 samples; returns (T,) int8. Not real-time safe."""
        signal = samples.astype(np.int64)[:, np.newaxis]
        for layer in self._layers:
            signal = layer.process(signal)
        signal = self._head.process(signal)
        if self._skip is not None:
            signal = self._skip.process(signal, samples.astype(np.int64))
        return signal.astype(np.int8)


class _IntegerLstm:
    """One LSTM layer: int8 in, int8 hidden state out, int16 cell state inside."""

    def __init__(self, file: TfliteFile, operator: OperatorView) -> None:
        source = _code(file, operator.inputs[0])
        self._hidden = _code(file, operator.inputs[STATE_H])
        kernels = [_constant(file, operator.inputs[place], np.int8) for place in KERNELS]
        recurrents = [_constant(file, operator.inputs[place], np.int8) for place in RECURRENTS]
        biases = [_constant(file, operator.inputs[place], np.int32) for place in BIASES]
        h = recurrents[0].shape[0]
        self._kernel = _stacked(kernels)
        self._recurrent = _stacked(recurrents)
        # The zero points of input and hidden state are folded into the biases, as the kernel does.
        self._input_bias = np.concatenate([_values(bias) for bias in biases]) - source.zero_point * _sums(self._kernel)
        self._hidden_bias = -self._hidden.zero_point * _sums(self._recurrent)
        self._input_share = _gate_multiplier([_gate_factor(kernel, source) for kernel in kernels], h)
        self._hidden_share = _gate_multiplier([_gate_factor(r, self._hidden) for r in recurrents], h)
        hidden_factor = float(np.float32(2.0**-15 / self._hidden.scale * 2.0**-15))
        self._output = QuantizedMultiplier(*quantize_multiplier(hidden_factor))
        self._integer_bits = _cell_integer_bits(file, file.tensors[operator.inputs[STATE_C]])
        self._tanh = tanh_table(self._integer_bits)
        # One table look-up for all gates: sigmoid for i, f and o, tanh for the candidate in the third place.
        self._activations = np.concatenate([sigmoid_table(), tanh_table(_GATE_INTEGER_BITS)])
        self._first_entry = np.repeat([0, 0, len(sigmoid_table()), 0], h) - INT16_MIN
        self._size = h
        self.reset()

    def reset(self) -> None:
        self.h: Integers = np.full(self._size, self._hidden.zero_point, dtype=np.int64)
        self.c: Integers = np.zeros(self._size, dtype=np.int64)

    def process(self, signal: Integers) -> Integers:
        """(T, inputs) to (T, H)."""
        accumulated = _matmul(signal, self._kernel) + self._input_bias
        shares = saturate(self._input_share.apply(accumulated), INT16_MIN, INT16_MAX)
        hidden = np.empty((len(signal), self._size), dtype=np.int64)
        for t, share in enumerate(shares):
            hidden[t] = self._step(share)
        return hidden

    def _step(self, input_share: Integers) -> Integers:
        """Advance the state by one sample, from the input's share of the gates (4H,) in Q3.12."""
        hidden_share = self._hidden_share.apply(_matmul(self.h, self._recurrent) + self._hidden_bias)
        gates = saturate(hidden_share + input_share, INT16_MIN, INT16_MAX)
        i, f, g, o = self._activations[gates + self._first_entry].reshape(4, self._size)
        kept = rounding_divide_by_power_of_two(f * self.c, 15)
        written = rounding_divide_by_power_of_two(i * g, 15 + self._integer_bits)
        self.c = saturate(kept + written, INT16_MIN, INT16_MAX)
        scaled = self._output.apply(o * self._tanh[self.c - INT16_MIN]) + self._hidden.zero_point
        self.h = saturate(scaled, INT8_MIN, INT8_MAX)
        return self.h


class _IntegerHead:
    """The dense head: (T, H) to (T,)."""

    def __init__(self, file: TfliteFile, operator: OperatorView) -> None:
        source, self._target = _code(file, operator.inputs[0]), _code(file, operator.outputs[0])
        kernel = _constant(file, operator.inputs[1], np.int8)
        self._kernel = _stacked([kernel])
        self._bias = _values(_constant(file, operator.inputs[2], np.int32)) - source.zero_point * _sums(self._kernel)
        # float32 product, then a float64 quotient: the order in which the kernel computes it.
        factor = float(np.float32(source.scale) * kernel.scales[0]) / self._target.scale
        self._factor = quantize_multiplier(factor)

    def process(self, signal: Integers) -> Integers:
        accumulated = _matmul(signal, self._kernel)[:, 0] + self._bias[0]
        scaled = multiply_rounding_once(accumulated, *self._factor) + self._target.zero_point
        return saturate(scaled, INT8_MIN, INT8_MAX)


class _IntegerAdd:
    """The skip: head plus dry."""

    def __init__(self, file: TfliteFile, operator: OperatorView, dry_index: int) -> None:
        head_index = next(index for index in operator.inputs if index != dry_index)
        self._inputs = [_code(file, head_index), _code(file, dry_index)]
        self._target = _code(file, operator.outputs[0])
        common = 2.0 * max(code.scale for code in self._inputs)
        self._factors = [QuantizedMultiplier(*quantize_multiplier(code.scale / common)) for code in self._inputs]
        output_factor = common / ((1 << _ADD_LEFT_SHIFT) * self._target.scale)
        self._output = QuantizedMultiplier(*quantize_multiplier(output_factor))

    def process(self, head: Integers, dry: Integers) -> Integers:
        total = np.zeros_like(head)
        for signal, code, factor in zip((head, dry), self._inputs, self._factors, strict=True):
            total += factor.apply((signal - code.zero_point) << _ADD_LEFT_SHIFT)
        scaled = self._output.apply(total) + self._target.zero_point
        return saturate(scaled, INT8_MIN, INT8_MAX)


def _gate_multiplier(factors: list[np.float32], hidden_size: int) -> QuantizedMultiplier:
    """One multiplier per column of the stacked gates."""
    pairs = [quantize_multiplier(float(factor)) for factor in factors]
    return QuantizedMultiplier(*(np.repeat(column, hidden_size) for column in zip(*pairs, strict=True)))


def _gate_factor(matrix: TensorView, source: AffineCode) -> np.float32:
    """From the accumulator to Q3.12, in float32 as the kernel computes it."""
    return np.float32(matrix.scales[0] * np.float32(source.scale) / _GATE_SCALE)


def _matmul(rows: Integers, matrix: NDArray[np.float64]) -> Integers:
    return (rows.astype(np.float64) @ matrix).astype(np.int64)


def _stacked(matrices: list[TensorView]) -> NDArray[np.float64]:
    """(outputs, inputs) constants as one (inputs, all outputs) matrix."""
    return np.concatenate([_values(matrix) for matrix in matrices]).T.astype(np.float64)


def _sums(matrix: NDArray[np.float64]) -> Integers:
    return np.sum(matrix, axis=0).astype(np.int64)


def _values(tensor: TensorView) -> Integers:
    return np.asarray(tensor.data, dtype=np.int64)


def _constant(file: TfliteFile, index: int, dtype: Any) -> TensorView:
    tensor = file.tensors[index]
    if tensor.dtype != dtype or tensor.data is None or len(tensor.scales) != 1:
        raise ModelFileError(
            f"{file.path}: {tensor.name} is no {np.dtype(dtype).name} constant with one scale; the integer reference "
            "plays w8a8 files only"
        )
    return tensor


def _code(file: TfliteFile, index: int) -> AffineCode:
    tensor = file.tensors[index]
    if tensor.dtype != np.int8:
        raise ModelFileError(f"{file.path}: {tensor.name} is not int8; the integer reference plays w8a8 files only")
    return code_of(tensor, str(file.path))


def _cell_integer_bits(file: TfliteFile, tensor: TensorView) -> int:
    """m of the cell's format Qm.(15−m)."""
    bits = 15 + int(np.log2(tensor.scales[0])) if tensor.dtype == np.int16 and len(tensor.scales) == 1 else -1
    if not 0 <= bits <= MAX_TANH_INTEGER_BITS or 2.0 ** (bits - 15) != tensor.scales[0]:
        raise ModelFileError(f"{file.path}: {tensor.name} is not int16 with a power of two from 2^-15 to 2^-9 as its "
                             "scale; convert it again")
    return bits
