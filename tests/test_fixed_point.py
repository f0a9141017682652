"""Fixed-point arithmetic against exact rational numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.fixed_point import (
    MAX_TANH_INTEGER_BITS,
    QuantizedMultiplier,
    doubling_high_multiply,
    multiply_rounding_once,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_power_of_two,
    sigmoid_table,
    tanh_table,
)
from neuralpedal.contract.integer_kernels import Rescaling, rescale_once, rescale_twice, rescale_wide

INT32 = st.integers(-(2**31), 2**31 - 1)
SMALL_INT32 = st.integers(-(2**24), 2**24)
MULTIPLIER = st.integers(2**30, 2**31 - 1)
FACTOR = st.floats(2.0**-30, 64.0)


def half_away(value: Fraction) -> int:
    return int(math.copysign(math.floor(abs(value) + Fraction(1, 2)), value))


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@given(INT32, MULTIPLIER, st.integers(-31, 0))
def test_a_quantized_multiplier_rounds_the_exact_product_twice(x: int, multiplier: int, shift: int) -> None:
    high = half_up(Fraction(x * multiplier, 2**31))
    wanted = half_away(Fraction(high, 2**-shift))
    assert QuantizedMultiplier(multiplier, shift).apply(np.int64(x)) == wanted


@given(st.integers(-(2**20), 2**20), MULTIPLIER, st.integers(1, 10))
def test_a_quantized_multiplier_above_one_shifts_left_first(x: int, multiplier: int, shift: int) -> None:
    wanted = half_up(Fraction((x << shift) * multiplier, 2**31))
    assert QuantizedMultiplier(multiplier, shift).apply(np.int64(x)) == wanted


@given(st.lists(st.tuples(SMALL_INT32, MULTIPLIER, st.integers(-31, 6)), min_size=1, max_size=8))
def test_an_array_of_multipliers_equals_one_after_the_other(rows: list[tuple[int, int, int]]) -> None:
    x, multiplier, shift = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    together = QuantizedMultiplier(multiplier, shift).apply(x)
    assert together.tolist() == [int(QuantizedMultiplier(m, s).apply(np.int64(v))) for v, m, s in rows]


@given(INT32, MULTIPLIER, st.integers(-31, 0))
def test_rounding_once_is_the_exact_product_with_halves_up(x: int, multiplier: int, shift: int) -> None:
    assert multiply_rounding_once(x, multiplier, shift) == half_up(Fraction(x * multiplier, 2 ** (31 - shift)))


@given(FACTOR)
def test_a_factor_survives_quantization_to_31_bits(factor: float) -> None:
    multiplier, shift = quantize_multiplier(factor)
    assert 2**30 <= multiplier < 2**31
    assert abs(Fraction(multiplier) * Fraction(2) ** (shift - 31) / Fraction(factor) - 1) <= Fraction(1, 2**31)


def test_factors_too_small_for_a_shift_become_zero() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(2.0**-40) == (0, 0)


@given(INT32, st.integers(0, 31))
def test_a_rounding_shift_rounds_halves_away_from_zero(x: int, exponent: int) -> None:
    assert rounding_divide_by_power_of_two(x, exponent) == half_away(Fraction(x, 2**exponent))


@given(st.integers(-(2**15), 2**15 - 1), st.integers(-(2**15), 2**15 - 1))
def test_a_high_product_saturates_only_minus_one_times_minus_one(a: int, b: int) -> None:
    assert doubling_high_multiply(a, b, 16) == min(half_up(Fraction(a * b, 2**15)), 2**15 - 1)


@pytest.mark.parametrize(("value", "wanted"), [(0.5, 1.0), (-0.5, -1.0), (2.5, 3.0), (-2.5, -3.0), (2.4999, 2.0),
                                               (0.49999999999999994, 0.0), (0.0, 0.0)])
def test_halves_round_away_from_zero(value: float, wanted: float) -> None:
    assert round_half_away(value) == wanted


@pytest.mark.parametrize(("rescaling", "most"), [(rescale_twice, 30), (rescale_once, 30), (rescale_wide, 7)])
def test_a_shift_that_no_kernel_can_do_is_refused_before_it_plays(rescaling: Rescaling, most: int) -> None:
    assert rescaling(2**30, -31)(np.array([1])) == rescaling(2**30, 0)(np.array([0])) == 0
    rescaling(2**30, most)
    for shift in (-32, most + 1, 133):
        with pytest.raises(ValueError, match="is outside 2"):
            rescaling(2**30, shift)


def test_the_sigmoid_table_is_the_sigmoid_to_a_few_steps_of_16_bits() -> None:
    inputs = np.arange(-(2**15), 2**15) / 2.0**12
    error = np.abs(sigmoid_table() / 2.0**15 - 1.0 / (1.0 + np.exp(-inputs)))
    assert error.max() < 16 / 2**15
    assert sigmoid_table()[2**15] == 2**14


@pytest.mark.parametrize("integer_bits", range(MAX_TANH_INTEGER_BITS + 1))
def test_the_tanh_tables_are_odd_and_close_to_tanh(integer_bits: int) -> None:
    table = tanh_table(integer_bits)
    inputs = np.arange(-(2**15), 2**15) * 2.0 ** (integer_bits - 15)
    assert np.abs(table / 2.0**15 - np.tanh(inputs)).max() < 24 / 2**15
    assert np.array_equal(table[1 : 2**15], -table[: 2**15 : -1])
