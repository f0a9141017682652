"""Fixed-point arithmetic against exact rational numbers, and int8 grids against their promises."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.fixed_point import (
    INT8_MAX,
    INT8_MIN,
    MAX_TANH_INTEGER_BITS,
    Affine,
    QuantizedMultiplier,
    doubling_high_multiply,
    multiply_rounding_once,
    quantize_multiplier,
    round_half_away,
    rounding_divide_by_power_of_two,
    sigmoid_table,
    tanh_table,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
SMALL_INT32 = st.integers(-(2**24), 2**24)
MULTIPLIER = st.integers(2**30, 2**31 - 1)
FACTOR = st.floats(2.0**-30, 64.0)
BOUND = st.floats(-1e4, 1e4, width=32)


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


@given(BOUND, BOUND)
def test_zero_is_exact_on_every_grid(a: float, b: float) -> None:
    grid = Affine.from_range(min(a, b), max(a, b))
    assert INT8_MIN <= grid.zero_point <= INT8_MAX
    assert grid.dequantize(grid.quantize(np.zeros(1, np.float32)))[0] == 0.0


@given(BOUND, BOUND, st.floats(0.0, 1.0))
def test_a_value_inside_its_range_moves_by_at_most_one_step(a: float, b: float, where: float) -> None:
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    grid = Affine.from_range(low, high)
    value = np.array([low + where * (high - low)], np.float32)
    # Half a step from rounding; at the ends up to half a step more, because zero is exact and so the ends are not.
    assert abs(grid.dequantize(grid.quantize(value))[0] - value[0]) <= grid.scale * 1.001


@given(st.floats(0.01, 100.0), st.floats(-1e6, 1e6, width=32))
def test_values_outside_a_grid_saturate(peak: float, value: float) -> None:
    grid = Affine.from_range(-peak, peak)
    quantized = int(grid.quantize(np.array([value], np.float32))[0])
    if abs(value) > 1.1 * peak:
        assert quantized == (INT8_MAX if value > 0 else INT8_MIN)


@given(st.integers(INT8_MIN, INT8_MAX), BOUND, BOUND)
def test_grid_points_survive_a_round_trip(point: int, a: float, b: float) -> None:
    grid = Affine.from_range(min(a, b), max(a, b))
    stored = np.array([point], np.int8)
    assert grid.quantize(grid.dequantize(stored))[0] == point


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
