"""The integer operators of a WaveNet, written out: convolution, sum, product and activations, as LiteRT computes them.

Each holds the constants that a kernel needs, derived from scales by TFLite's rules, and applies itself to whole blocks
(T, channels) of int64. Signals are int16 (zero points 0) or int8; what differs between the two stands in ``Grid``.
Sources: tensorflow/lite/kernels/{conv.cc, add.cc, mul.cc, activations.cc}, internal/reference/{integer_ops/conv.h,
integer_ops/tanh.h, integer_ops/logistic.h, leaky_relu.h}.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN, Integers, quantize_multiplier, saturate
from neuralpedal.contract.integer_kernels import rescale_twice, rescale_wide
from neuralpedal.contract.wavenet import LEAKY_SLOPE

ADD_LEFT_SHIFTS = {np.int8: 20, np.int16: 15}
"""Binary places that additions work with."""

_TABLE_STEPS_PER_UNIT, _TABLE_SIZE = 24, 256
_INPUT_FACTOR = 3
_THIRD_OF_Q12 = 4096 * _INPUT_FACTOR
"""The int16 tables have 3·2¹² steps per unit of a sigmoid's argument… of half a tanh's."""


@dataclass(frozen=True)
class IntegerConvolution:
    """Causal, of one block with its past in front.

    Attributes:
        kernel: int64 (taps, inputs, outputs), −127 to 127. bias: int64 (outputs,).
        multipliers, shifts: (outputs,): a sum counts multiplier · 2^(shift − 31) steps of the output.
        dilation: samples between taps. source, target: formats of the signals.
    """

    kernel: Integers
    bias: Integers
    multipliers: Integers
    shifts: Integers
    dilation: int
    source: AffineCode
    target: AffineCode

    @property
    def span(self) -> int:
        """Samples before the block that are read."""
        return (len(self.kernel) - 1) * self.dilation

    def __call__(self, track: Integers) -> Integers:
        """(span + T, inputs) to (T, outputs)."""
        # Sums of 8 times 16 bits are exact in float64, and BLAS knows no integers.
        centred, length = (track - self.source.zero_point).astype(np.float64), len(track) - self.span
        sums = sum(centred[tap * self.dilation : tap * self.dilation + length] @ matrix.astype(np.float64)
                   for tap, matrix in enumerate(self.kernel))
        rescale = (rescale_wide if self.target.dtype is np.int16 else rescale_twice)(self.multipliers, self.shifts)
        return within(rescale(np.asarray(sums).astype(np.int64) + self.bias) + self.target.zero_point, self.target)


def make_convolution(kernel: Integers, scales: NDArray[np.float32], bias: Integers, dilation: int,
                     source: AffineCode, target: AffineCode) -> IntegerConvolution:
    """With multipliers from the scales of weights (outputs,) and signals."""
    factors = [quantize_multiplier(source.scale * float(scale) / target.scale) for scale in scales]
    multipliers, shifts = (np.array(column, np.int64) for column in zip(*factors, strict=True))
    return IntegerConvolution(kernel, bias, multipliers, shifts, dilation, source, target)


class IntegerSum:
    """Two signals, each on a grid of its own.

    Args:
        sources: of the two. target: of the sum. rectified: values below zero become zero.

    Attributes:
        factors: multiplier and shift of each source. output: of the sum. left_shift: of both sources before.
        low: the smallest result.
    """

    def __init__(self, sources: tuple[AffineCode, AffineCode], target: AffineCode, rectified: bool = False) -> None:
        self.sources, self.target = sources, target
        self.left_shift = ADD_LEFT_SHIFTS[target.dtype]
        common = 2.0 * max(code.scale for code in sources)
        self.factors = [quantize_multiplier(code.scale / common) for code in sources]
        self.output = quantize_multiplier(common / ((1 << self.left_shift) * target.scale))
        self.low = target.zero_point if rectified else int(np.iinfo(target.dtype).min)
        self._apply = [rescale_twice(*factor) for factor in self.factors]
        self._rescale = rescale_twice(*self.output)

    def __call__(self, one: Integers, other: Integers) -> Integers:
        """Of the same shape."""
        total = sum(apply((signal - code.zero_point) << self.left_shift)
                    for apply, signal, code in zip(self._apply, (one, other), self.sources, strict=True))
        return np.maximum(within(self._rescale(total) + self.target.zero_point, self.target), self.low)


class IntegerProduct:
    """Activation times gate.

    Attributes:
        factor: multiplier and shift. sources, target: formats.
    """

    def __init__(self, sources: tuple[AffineCode, AffineCode], target: AffineCode) -> None:
        self.sources, self.target = sources, target
        scales = [np.float32(code.scale) for code in (*sources, target)]
        self.factor = quantize_multiplier(float(scales[0] * scales[1] / scales[2]))
        self._rescale = rescale_twice(*self.factor)

    def __call__(self, one: Integers, other: Integers) -> Integers:
        """Of the same shape."""
        product = (one - self.sources[0].zero_point) * (other - self.sources[1].zero_point)
        return within(self._rescale(product) + self.target.zero_point, self.target)


class IntegerFunction:
    """A function of every value by itself.

    Attributes:
        table: its answer (256,) or (65536,) to every value, the lowest first.
    """

    def __init__(self, table: Integers) -> None:
        self.table = table

    def __call__(self, signal: Integers) -> Integers:
        """Of any shape."""
        return self.table[signal + len(self.table) // 2]


def within(values: Integers, code: AffineCode) -> Integers:
    """Saturated to the type of a format."""
    limits = np.iinfo(code.dtype)
    return saturate(values, int(limits.min), int(limits.max))


def every_value(code: AffineCode) -> Integers:
    """Of a format's type, ascending."""
    limits = np.iinfo(code.dtype)
    return np.arange(limits.min, limits.max + 1, dtype=np.int64)


def leaky_relu(source: AffineCode, target: AffineCode) -> IntegerFunction:
    """LEAKY_RELU."""
    scales = [np.float32(code.scale) for code in (source, target)]
    values = every_value(source) - source.zero_point
    steep, gentle = (rescale_twice(*quantize_multiplier(float(factor)))(values) for factor in (
        scales[0] / scales[1], scales[0] * np.float32(LEAKY_SLOPE) / scales[1]))
    return IntegerFunction(within(np.where(values >= 0, steep, gentle) + target.zero_point, target))


def relu(source: AffineCode, target: AffineCode) -> IntegerFunction:
    """RELU."""
    factor = quantize_multiplier(float(np.float32(source.scale) / np.float32(target.scale)))
    scaled = rescale_twice(*factor)(every_value(source) - source.zero_point) + target.zero_point
    return IntegerFunction(np.maximum(within(scaled, target), target.zero_point))


def tanh(source: AffineCode, target: AffineCode) -> IntegerFunction:
    """TANH."""
    return _from_table(source, _tanh_q15) if source.dtype is np.int16 else _of_float32(source, target, np.tanh)


def sigmoid(source: AffineCode, target: AffineCode) -> IntegerFunction:
    """LOGISTIC."""
    return _from_table(source, _sigmoid_q15) if source.dtype is np.int16 else _of_float32(
        source, target, lambda values: np.float32(1.0) / (np.float32(1.0) + np.exp(-values)))


def _of_float32(source: AffineCode, target: AffineCode, function: Callable[[Any], Any]) -> IntegerFunction:
    """Every answer rounded by itself, halves away from zero."""
    values = np.float32(source.scale) * (every_value(source) - source.zero_point).astype(np.float32)
    steps = (function(values) * (np.float32(1.0) / np.float32(target.scale))).astype(np.float64)
    rounded = np.trunc(steps + np.copysign(0.5, steps)).astype(np.int64)
    return IntegerFunction(within(rounded + target.zero_point, target))


def _from_table(source: AffineCode, function: Callable[[Integers], Integers]) -> IntegerFunction:
    multiplier, shift = table_factor(source)
    arguments = (every_value(source) * multiplier + (1 << shift >> 1)) >> shift
    return IntegerFunction(function(arguments))


def table_factor(source: AffineCode) -> tuple[int, int]:
    """Multiplier and right shift that bring int16 values of a scale to steps of 1/12288."""
    exponent = np.log2(source.scale) + 12
    if exponent in (0.0, 1.0):
        return _INPUT_FACTOR << int(exponent), 0
    multiplier, shift = source.scale * _THIRD_OF_Q12, 0
    while multiplier <= INT16_MAX / 2 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return int(multiplier), shift


@cache
def table_of_sigmoid() -> Integers:
    """Sigmoid of k/24, k = 0 … 255, in Q0.16, each moved by half of the largest error of its chords: −σ''/(16·24²)."""
    exact = 1.0 / (1.0 + np.exp(-np.arange(_TABLE_SIZE) / _TABLE_STEPS_PER_UNIT))
    curvature = exact * (1.0 - exact) * (1.0 - 2.0 * exact)
    moved = exact - curvature / (16.0 * _TABLE_STEPS_PER_UNIT**2)
    table = np.rint(65536.0 * moved).astype(np.int64)
    # The last entry is that of endless arguments.
    table[-1] = 65535
    return table


def _interpolated(arguments: Integers, bits: int, last: int) -> Integers:
    """The table of |argument| / 2^bits, linear between its entries, with ``bits`` more bits; behind it ``last``."""
    magnitudes = np.abs(arguments)
    places = np.minimum(magnitudes >> bits, _TABLE_SIZE - 2)
    left, right = table_of_sigmoid()[places], table_of_sigmoid()[places + 1]
    inside = (left << bits) + (magnitudes & ((1 << bits) - 1)) * (right - left)
    return np.where(magnitudes >> bits >= _TABLE_SIZE - 1, last, inside)


def _tanh_q15(arguments: Integers) -> Integers:
    """tanh x = 2σ(2x) − 1: half the places of the table per unit."""
    opened = _interpolated(arguments, 8, 0xFFFF << 8)
    half, rounding = 1 << 23, 1 << 7
    centred = np.where(arguments >= 0, opened - half + rounding, half - opened + rounding - 1)
    return saturate(centred >> 8, INT16_MIN, INT16_MAX)


def _sigmoid_q15(arguments: Integers) -> Integers:
    opened = _interpolated(arguments, 9, 0x7FFF << 10)
    rounding = 1 << 9
    return np.where(arguments >= 0, opened + rounding, (1 << 25) - opened + rounding - 1) >> 10
