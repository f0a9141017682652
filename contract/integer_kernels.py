"""The integer kernels that play our files, and where they differ: LiteRT's and tflite-micro's.

Both read the same file in the same formats, but round and look up otherwise, so that their outputs differ by some
steps. All that differs stands here; what they share stands in ``reference_int8_layers.py``.

* LSTM, sigmoid and tanh: gemmlowp's polynomials in LiteRT, straight lines between nodes in tflite-micro.
* LSTM, the product of two scales that a gate's multiplier is made from: float32 in LiteRT, float64 in tflite-micro. It
  decides how a sum about halfway between two integers is rounded, one in millions.
* LSTM, both shares of a gate: LiteRT adds them and saturates; tflite-micro saturates each, then their sum.
* LSTM, products of gates and cell: one rounding in LiteRT, two in tflite-micro.
* Head: one rounding in LiteRT, two in tflite-micro.
* tflite-micro alone has the LSTM with 16-bit signals: int64 biases, 16-bit multipliers, one rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.fixed_point import (
    MAX_TANH_INTEGER_BITS,
    Integers,
    QuantizedMultiplier,
    RoundingShift,
    multiply_rounding_once,
    sigmoid_table,
    tanh_table,
)
from neuralpedal.contract.interpolated_activations import sigmoid_by_lines, tanh_by_lines

TFLM16X8 = "tflm16x8"
"""The scheme that tflite-micro alone plays."""

GATE_SCALE = 2.0**-12
"""Of the gates' pre-activations, which are Q3.12."""

MAX_CELL_INTEGER_BITS = 15
"""What tflite-micro's kernels play; LiteRT's: ``MAX_TANH_INTEGER_BITS``."""

_Function = Callable[[Any], Integers]


class Rescaling(Protocol):
    """Makes, from multipliers and shifts that broadcast against the values, the function that rescales values."""

    def __call__(self, multiplier: ArrayLike, shift: ArrayLike) -> _Function: ...


@dataclass(frozen=True)
class IntegerKernels:
    """One set of kernels.

    Attributes:
        signal, bias: the types of audio and hidden state, and of every bias.
        sigmoid, tanh: tables over int16, the latter by its input's integer bits, of which there may be up to
            ``max_cell_integer_bits``.
        gate_factor: from sums to Q3.12, by the signal's and the matrix's scale.
        rescale_gates, rescale_head: from accumulators to the next format.
        saturates_shares: whether the hidden state's share of a gate is saturated before it is added.
        divide: makes the function that divides by 2^n, for products of gates and cell.
        hidden_factor: from the product of output gate and tanh to a hidden state of the given scale.
        add_left_shift: binary places that the skip's addition works with.
    """

    signal: Any
    bias: Any
    sigmoid: Callable[[], Integers]
    tanh: Callable[[int], Integers]
    max_cell_integer_bits: int
    gate_factor: Callable[[np.float32, np.float32], float]
    rescale_gates: Rescaling
    rescale_head: Rescaling
    saturates_shares: bool
    divide: Callable[[ArrayLike], _Function]
    hidden_factor: Callable[[float], float]
    add_left_shift: int


def rescale_twice(multiplier: ArrayLike, shift: ArrayLike) -> _Function:
    """See :class:`QuantizedMultiplier`; shifts up to 30."""
    return QuantizedMultiplier(multiplier, _within(shift, 30)).apply


def rescale_once(multiplier: ArrayLike, shift: ArrayLike) -> _Function:
    """For scalars; see :func:`multiply_rounding_once`."""
    scalars = int(np.asarray(multiplier)), int(_within(shift, 30))
    return lambda values: multiply_rounding_once(values, *scalars)


def rescale_wide(multiplier: ArrayLike, shift: ArrayLike) -> _Function:
    """Of 64-bit accumulators below 2⁴⁷: the multiplier is rounded to 16 bits, the product once, halves up.

    Shifts from −31 to 7. Source: tensorflow/lite/kernels/internal/common.cc.
    """
    narrow = narrow_multiplier(multiplier)
    right = 15 - _within(shift, 7)
    half = np.asarray(np.int64(1) << (right - 1))
    return lambda values: (np.asarray(values, dtype=np.int64) * narrow + half) >> right


def narrow_multiplier(multiplier: ArrayLike) -> NDArray[np.int64]:
    """A multiplier of 31 bits, rounded to the 15 that :func:`rescale_wide` takes."""
    wide = np.asarray(multiplier, dtype=np.int64)
    return np.where(wide < 0x7FFF0000, (wide + (1 << 15)) >> 16, 0x7FFF)


def _within(shift: ArrayLike, most: int) -> NDArray[np.int64]:
    """Shifts that kernels can do. Raises ValueError: only a damaged scale gives others."""
    shifts = np.asarray(shift, dtype=np.int64)
    if np.any(shifts < -31) or np.any(shifts > most):
        raise ValueError(f"a rescaling by 2^{shifts.min()} to 2^{shifts.max()} is outside 2^-31 to 2^{most}")
    return shifts


def divide_twice(exponent: ArrayLike) -> _Function:
    """Division by 2^exponent as with a quantized multiplier: halves up first, then halves away from zero."""
    one, rest = np.array(1), RoundingShift(np.asarray(exponent) - 1)
    return lambda values: rest((values + one) >> one)


def _litert_gate_factor(signal_scale: np.float32, matrix_scale: np.float32) -> float:
    return float(signal_scale * matrix_scale) / GATE_SCALE


def _tflm_gate_factor(signal_scale: np.float32, matrix_scale: np.float32) -> float:
    return float(signal_scale) * float(matrix_scale) / GATE_SCALE


def _litert_hidden_factor(scale: float) -> float:
    return float(np.float32(2.0**-15 / scale * 2.0**-15))


def _tflm_hidden_factor(scale: float) -> float:
    return 2.0**-30 / scale


KERNELS = {
    ("w8a8", "litert"): IntegerKernels(
        signal=np.int8, bias=np.int32, sigmoid=sigmoid_table, tanh=tanh_table,
        max_cell_integer_bits=MAX_TANH_INTEGER_BITS, gate_factor=_litert_gate_factor, rescale_gates=rescale_twice,
        rescale_head=rescale_once, saturates_shares=False, divide=RoundingShift, hidden_factor=_litert_hidden_factor,
        add_left_shift=20,
    ),
    ("w8a8", "tflm"): IntegerKernels(
        signal=np.int8, bias=np.int32, sigmoid=sigmoid_by_lines, tanh=tanh_by_lines,
        max_cell_integer_bits=MAX_CELL_INTEGER_BITS, gate_factor=_tflm_gate_factor, rescale_gates=rescale_twice,
        rescale_head=rescale_twice, saturates_shares=True, divide=divide_twice, hidden_factor=_tflm_hidden_factor,
        add_left_shift=20,
    ),
    (TFLM16X8, "tflm"): IntegerKernels(
        signal=np.int16, bias=np.int64, sigmoid=sigmoid_by_lines, tanh=tanh_by_lines,
        max_cell_integer_bits=MAX_CELL_INTEGER_BITS, gate_factor=_tflm_gate_factor, rescale_gates=rescale_wide,
        rescale_head=rescale_wide, saturates_shares=True, divide=divide_twice, hidden_factor=_tflm_hidden_factor,
        add_left_shift=15,
    ),
}
"""By scheme and interpreter; a scheme's first is what its files are measured with."""


def kernels_of(scheme: str, interpreter: str | None = None) -> IntegerKernels:
    """The kernels with which an interpreter, ``litert`` or ``tflm``, plays a scheme; the scheme's first when None.

    Raises:
        SpecError: no such kernels.
    """
    found = {name: kernels for (played, name), kernels in KERNELS.items() if played == scheme}
    if not found or interpreter not in (None, *found):
        raise SpecError(f"scheme {scheme} has no integer kernels of {interpreter or 'any interpreter'}; there are "
                        + ", ".join(f"{name} for {played}" for played, name in KERNELS))
    return found[interpreter] if interpreter else next(iter(found.values()))
