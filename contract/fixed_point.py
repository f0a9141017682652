"""The integer arithmetic of TFLite: quantized multipliers, rounding shifts, int16 sigmoid and tanh.

Calibration, the integer reference and the generated C must agree on every rounding here, so each operation says how
it treats halves. Values travel as int64 arrays: wide enough for every product, narrowed where the kernels narrow.
A format Qm.n has m integer bits, n fraction bits and a sign; int16 values in [−1, 1) are Q0.15.
Sources: gemmlowp/fixedpoint/fixedpoint.h; tensorflow/lite/kernels/internal/{common.cc, quantization_util.cc}; Jacob
et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]

INT8_MIN, INT8_MAX = -128, 127
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
MAX_TANH_INTEGER_BITS = 6
"""LiteRT's tanh knows 0 to 6 integer bits; for others it leaves its output unwritten, without an error."""

_EXP_FACTORS = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401, 4: 242}
"""exp(−2ᵏ) in Q0.31, by k: the factors of the exponential's bits."""


def round_half_away(values: ArrayLike) -> NDArray[np.float64]:
    """Nearest integers as float64, halves away from zero, as C's ``round`` does (``numpy.rint``: halves to even)."""
    exact = np.asarray(values, dtype=np.float64)
    whole = np.trunc(exact)
    # Not trunc(x + 0.5): that sum rounds 0.49999999999999994 up to 1.
    return whole + np.where(np.abs(exact - whole) >= 0.5, np.copysign(1.0, exact), 0.0)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A non-negative factor as ``(multiplier, shift)``: real ≈ multiplier · 2^(shift − 31), multiplier in [2³⁰, 2³¹).

    Factors below 2⁻³² become (0, 0), as in TFLite.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = int(round_half_away(fraction * 2.0**31))
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


class RoundingShift:
    """values / 2^exponent, halves away from zero; exponent 0 to 31, a scalar or an array that broadcasts.

    Constants are arrays from the start: to make one of a Python int takes NumPy longer than to add it.
    """

    def __init__(self, exponent: ArrayLike) -> None:
        self._exponent = np.asarray(exponent, dtype=np.int64)
        self._half = np.asarray((np.int64(1) << self._exponent) >> 1)
        self._sign = np.array(63)
        # One less for negative values turns "halves up" into "halves away from zero"; without a shift half is 0.
        self._shifted = None if np.all(self._half) else -np.asarray(self._half > 0, dtype=np.int64)

    def __call__(self, values: Integers) -> Integers:
        """The quotients of int64 values."""
        negative = values >> self._sign
        if self._shifted is not None:
            negative = negative & self._shifted
        quotients: Integers = (values + self._half + negative) >> self._exponent
        return quotients


class QuantizedMultiplier:
    """Products of int32 values with multiplier · 2^(shift − 31), rounded twice as TFLite's kernels do.

    First the high product with halves up, then the right shift with halves away from zero; a left shift wraps like
    int32. Scalars or arrays that broadcast against the values.
    """

    def __init__(self, multiplier: ArrayLike, shift: ArrayLike) -> None:
        self._multiplier = np.asarray(multiplier, dtype=np.int64)
        shift = np.asarray(shift, dtype=np.int64)
        self._left = np.maximum(shift, 0)
        self._shifts_left = bool(np.any(shift > 0))
        self._half, self._width = np.array(1 << 30), np.array(31)
        self._shift_right = RoundingShift(np.maximum(-shift, 0))

    def apply(self, values: Any) -> Integers:
        """The products; int64 holding int32."""
        if self._shifts_left:
            values = wrap_int32(np.asarray(values, dtype=np.int64) << self._left)
        # A multiplier is never negative, so the high product needs no saturation.
        return self._shift_right((values * self._multiplier + self._half) >> self._width)


def multiply_rounding_once(values: Any, multiplier: int, shift: int) -> Integers:
    """values · multiplier · 2^(shift − 31) with one rounding, halves up; shift −31 to 30.

    What LiteRT's dense layer gives: XNNPACK and its reference kernel multiply in floating point and round once.
    """
    return (np.asarray(values, dtype=np.int64) * multiplier + (1 << (30 - shift))) >> (31 - shift)


def doubling_high_multiply(a: Any, b: Any, bits: int) -> Integers:
    """a · b / 2^(bits−1) of two ``bits``-wide integers, halves up; −1 · −1 saturates (ARM's VQRDMULH)."""
    return np.minimum(_high_product(np.asarray(a, dtype=np.int64), b, bits), (1 << (bits - 1)) - 1)


def rounding_divide_by_power_of_two(values: Any, exponent: int) -> Integers:
    """values / 2^exponent, halves away from zero; exponent 0 to 31."""
    return RoundingShift(exponent)(np.asarray(values, dtype=np.int64))


def _high_product(a: Any, b: Any, bits: int) -> Integers:
    return (a * b + (1 << (bits - 2))) >> (bits - 1)


def saturate(values: Any, low: int, high: int) -> Integers:
    """Clamp to [low, high] instead of wrapping."""
    return np.minimum(np.maximum(values, low), high)


def wrap_int32(values: Integers) -> Integers:
    """What is left of ``values`` in an int32."""
    return ((values + 2**31) & (2**32 - 1)) - 2**31


@cache
def sigmoid_table() -> Integers:
    """Sigmoid of every Q3.12 input (index: input + 32768) in Q0.15, as gemmlowp's ``logistic`` rounds it."""
    inputs = np.arange(INT16_MIN, INT16_MAX + 1, dtype=np.int64)
    exponential = _exp_of_negative(-np.abs(inputs), integer_bits=3)
    positive = _shift_left_saturating(_reciprocal_newton(_half_of_one_plus(exponential)), 1)
    result = np.where(inputs > 0, positive, INT16_MAX - positive)
    return np.where(inputs == 0, 1 << 14, result)


@cache
def tanh_table(integer_bits: int) -> Integers:
    """Tanh of every int16 input with ``integer_bits`` (index: input + 32768) in Q0.15, as gemmlowp rounds it."""
    inputs = np.arange(INT16_MIN, INT16_MAX + 1, dtype=np.int64)
    # tanh |x| = (1 − e) / (1 + e) with e = exp(−2|x|); reading x with one integer bit more doubles it for free.
    exponential = _exp_of_negative(-np.abs(inputs), integer_bits + 1)
    one = 1 << 13
    magnitude = _shift_left_saturating(_reciprocal_newton(_half_of_one_plus(exponential)) - one, 2)
    return np.where(inputs == 0, 0, np.where(inputs < 0, -magnitude, magnitude))


def _constant(q31: int) -> int:
    """A 32-bit constant of gemmlowp in 16 bits."""
    return int(rounding_divide_by_power_of_two(q31, 16))


def _multiply(a: Any, b: Any) -> Integers:
    return doubling_high_multiply(a, b, 16)


def _exp_of_negative(values: Integers, integer_bits: int) -> Integers:
    """exp of values ≤ 0 in Q(integer_bits), in Q0.15: a polynomial for the last quarter, a factor per higher bit."""
    fraction_bits = 15 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    last_quarter = (values & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(_shift_left_saturating(last_quarter, integer_bits))
    remainder = last_quarter - values
    for exponent, factor in _EXP_FACTORS.items():
        if integer_bits > exponent:
            bit = 1 << (fraction_bits + exponent)
            result = np.where(remainder & bit, _multiply(result, _constant(factor)), result)
    if integer_bits > 5:
        result = np.where(values < -(1 << (fraction_bits + 5)), 0, result)
    return np.where(values == 0, INT16_MAX, result)


def _exp_of_last_quarter(values: Integers) -> Integers:
    """exp on [−1/4, 0) in Q0.15: Taylor's polynomial of degree 4 around −1/8."""
    centre, third = _constant(1895147668), _constant(715827883)
    x = values + (1 << 12)
    x2 = _multiply(x, x)
    x3, x4 = _multiply(x2, x), _multiply(x2, x2)
    cubic = _multiply(rounding_divide_by_power_of_two(x4, 2) + x3, third)
    tail = rounding_divide_by_power_of_two(cubic + x2, 1)
    return saturate(centre + _multiply(x + tail, centre), INT16_MIN, INT16_MAX)


def _half_of_one_plus(values: Integers) -> Integers:
    """(1 + values) / 2 in Q0.15, halves up; values ≥ 0."""
    return (values + INT16_MAX + 1) >> 1


def _reciprocal_newton(half_denominator: Integers) -> Integers:
    """1 / half_denominator for [1/2, 1) in Q0.15, in Q2.13: three steps of Newton's division."""
    one = 1 << 13
    x = _constant(1515870810) + _multiply(half_denominator, _constant(-1010580540))
    for _ in range(3):
        x = x + _shift_left_saturating(_multiply(x, one - _multiply(half_denominator, x)), 2)
    return x


def _shift_left_saturating(values: Integers, shift: int) -> Integers:
    return saturate(values << shift, INT16_MIN, INT16_MAX)
