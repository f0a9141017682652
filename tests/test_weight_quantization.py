"""int8 weights and signals: how far they are from the numbers that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neuralpedal.contract.fixed_point import INT8_MAX, INT8_MIN
from neuralpedal.convert.calibration import Range
from neuralpedal.convert.signal_grids import tightest_grid
from neuralpedal.convert.weight_quantization import (
    WEIGHT_LIMIT,
    quantize_per_channel,
    quantize_per_matrix,
    symmetric_scales,
)

MATRIX = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9),
                elements=st.floats(-1e3, 1e3, width=32, allow_subnormal=False))
BOUND = st.floats(-1e4, 1e4, width=32)
# The division and the scale are themselves rounded, in float64 and float32.
SLACK = 1.0 + 1e-5


@given(MATRIX)
def test_the_error_of_a_weight_is_at_most_half_its_channels_scale(matrix: np.ndarray) -> None:
    quantized = quantize_per_channel(matrix)
    error = np.abs(quantized.dequantized().astype(np.float64) - matrix)
    assert np.all(error <= 0.5 * SLACK * quantized.scales[:, np.newaxis])


@given(MATRIX)
def test_the_error_of_a_weight_is_at_most_half_its_matrix_scale(matrix: np.ndarray) -> None:
    quantized = quantize_per_matrix(matrix)
    assert quantized.scales.shape == (1,)
    error = np.abs(quantized.dequantized().astype(np.float64) - matrix)
    assert np.all(error <= 0.5 * SLACK * quantized.scales[0])


@given(MATRIX)
def test_weights_stay_symmetric_and_use_the_whole_range(matrix: np.ndarray) -> None:
    quantized = quantize_per_channel(matrix)
    assert quantized.values.dtype == np.int8
    assert quantized.values.min() >= -WEIGHT_LIMIT
    peaks = np.max(np.abs(quantized.values), axis=1)
    assert np.all(peaks[np.max(np.abs(matrix), axis=1) > 1e-30] == WEIGHT_LIMIT)


@given(MATRIX)
def test_turning_the_signs_turns_the_integers(matrix: np.ndarray) -> None:
    assert np.array_equal(quantize_per_channel(-matrix).values, -quantize_per_channel(matrix).values)


@pytest.mark.parametrize("size", [1, 16])
def test_one_column_per_channel_is_exact_but_for_the_rounding_of_the_scale(size: int) -> None:
    column = np.linspace(-1.0, 1.0, size, dtype=np.float32)[:, np.newaxis]
    assert np.allclose(quantize_per_channel(column).dequantized(), column, rtol=2e-7, atol=0.0)


def test_a_silent_channel_has_a_scale_that_is_not_zero() -> None:
    matrix = np.array([[0.0, 0.0], [1e-42, 0.0], [0.5, -0.25]], np.float32)
    quantized = quantize_per_channel(matrix)
    assert np.all(quantized.scales > 0.0)
    assert not np.any(quantized.values[:2])


def test_halves_of_a_step_round_away_from_zero() -> None:
    matrix = np.array([[127.0, 2.5, -2.5, 0.5, -0.5]], np.float32)
    assert quantize_per_matrix(matrix).values.tolist() == [[127, 3, -3, 1, -1]]


def test_a_matrix_scale_is_never_finer_than_asked() -> None:
    matrix = np.array([[1.0, -0.5]], np.float32)
    assert quantize_per_matrix(matrix, smallest_scale=0.25).scales[0] == np.float32(0.25)
    assert quantize_per_matrix(matrix, smallest_scale=1e-4).scales[0] == symmetric_scales(np.array([1.0]))[0]


@given(BOUND, BOUND)
def test_zero_is_exact_on_every_grid(a: float, b: float) -> None:
    grid = tightest_grid(Range(min(a, b), max(a, b)))
    assert INT8_MIN <= grid.zero_point <= INT8_MAX
    assert grid.decode(grid.encode(np.zeros(1, np.float32)))[0] == 0.0


@given(BOUND, BOUND, st.floats(0.0, 1.0))
def test_a_value_inside_its_range_moves_by_at_most_one_step(a: float, b: float, where: float) -> None:
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    grid = tightest_grid(Range(low, high))
    value = np.array([low + where * (high - low)], np.float32)
    # Half a step from rounding; at the ends up to half a step more, because zero is exact and so the ends are not.
    assert abs(grid.decode(grid.encode(value))[0] - value[0]) <= grid.scale * 1.001


@given(st.floats(0.01, 100.0), st.floats(-1e6, 1e6, width=32))
def test_values_outside_a_grid_saturate(peak: float, value: float) -> None:
    grid = tightest_grid(Range(-peak, peak))
    quantized = int(grid.encode(np.array([value], np.float32))[0])
    if abs(value) > 1.1 * peak:
        assert quantized == (INT8_MAX if value > 0 else INT8_MIN)


@given(st.integers(INT8_MIN, INT8_MAX), BOUND, BOUND)
def test_grid_points_survive_a_round_trip(point: int, a: float, b: float) -> None:
    grid = tightest_grid(Range(min(a, b), max(a, b)))
    stored = np.array([point], np.int8)
    assert grid.encode(grid.decode(stored))[0] == point
