"""int8 weights: how far they are from the weights that they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neuralpedal.convert.weight_quantization import (
    WEIGHT_LIMIT,
    quantize_per_channel,
    quantize_per_matrix,
    symmetric_scales,
)

MATRIX = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9),
                elements=st.floats(-1e3, 1e3, width=32, allow_subnormal=False))
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
