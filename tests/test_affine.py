"""Audio as integers: rounding, saturation, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neuralpedal.contract.affine import AffineCode, code_of
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.tflite_file import TensorView

scales = st.floats(2.0**-20, 4.0, width=32)
zero_points = st.integers(-128, 127)
dtypes = st.sampled_from([np.int8, np.int16])
ALL_INT8 = np.arange(-128, 128).astype(np.int8)


def tensor(dtype: type = np.int8, tensor_scales: tuple[float, ...] = (0.5,)) -> TensorView:
    return TensorView("dry", (1, 64, 1), np.dtype(dtype), None, np.array(tensor_scales, np.float32),
                      np.full(len(tensor_scales), 3, np.int64), 0, False)


@pytest.mark.parametrize("zero_point", [0, 3, -5])
def test_halves_are_rounded_away_from_zero(zero_point):
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], np.float32)
    steps = AffineCode(0.25, zero_point).encode(halves * np.float32(0.25))
    np.testing.assert_array_equal(steps, np.array([1, 2, 3, -1, -2, -3]) + zero_point)


def test_what_lies_just_below_a_half_is_rounded_to_zero():
    below = np.nextafter(np.float32(0.5), np.float32(0.0))
    np.testing.assert_array_equal(AffineCode(1.0, 0).encode(np.array([below, -below])), [0, 0])


def test_silence_is_the_zero_point():
    np.testing.assert_array_equal(AffineCode(0.01, -7).encode(np.array([0.0, -0.0], np.float32)), [-7, -7])
    np.testing.assert_array_equal(AffineCode(0.01, -7).decode(np.array([-7], np.int8)), [0.0])


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.int8, -128, 127), (np.int16, -32768, 32767)])
def test_values_beyond_the_range_saturate_instead_of_wrapping(dtype, low, high):
    loud = np.array([1e9, -1e9, np.inf, -np.inf, (high + 1) * 0.5, (low - 1) * 0.5], np.float32)
    codes = AffineCode(0.5, 0, dtype).encode(loud)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(codes, [high, low, high, low, high, low])


@given(scales, zero_points, dtypes, st.data())
def test_a_value_within_range_comes_back_within_half_a_step(scale, zero_point, dtype, data):
    code, limits = AffineCode(scale, zero_point, dtype), np.iinfo(dtype)
    low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
    shares = data.draw(arrays.arrays(np.float64, 20, elements=st.floats(0.0, 1.0)))
    values = np.clip((low + shares * (high - low)).astype(np.float32), np.float32(low), np.float32(high))
    error = np.abs(code.decode(code.encode(values)).astype(np.float64) - values)
    # Beyond half a step only by what float32 itself rounds.
    assert np.max(error) <= scale / 2 + 4 * np.finfo(np.float32).eps * max(abs(low), abs(high))


@given(scales, zero_points, dtypes)
def test_every_code_means_its_distance_from_the_zero_point_and_encodes_to_itself(scale, zero_point, dtype):
    limits = np.iinfo(dtype)
    codes = np.arange(limits.min, limits.max + 1).astype(dtype)
    code = AffineCode(scale, zero_point, dtype)
    decoded = code.decode(codes)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, (codes.astype(np.int64) - zero_point).astype(np.float32) * np.float32(scale))
    np.testing.assert_array_equal(code.encode(decoded), codes)


@given(scales, zero_points, arrays.arrays(np.float32, 30, elements=st.floats(-100.0, 100.0, width=32)))
def test_encode_is_the_nearest_integer_of_the_float32_quotient(scale, zero_point, values):
    quotient = (values / np.float32(scale)).astype(np.float64)
    whole = np.trunc(quotient)
    nearest = whole + np.where(np.abs(quotient - whole) >= 0.5, np.sign(quotient), 0.0) + zero_point
    wanted = np.clip(nearest, -128, 127).astype(np.int8)
    np.testing.assert_array_equal(AffineCode(scale, zero_point).encode(values), wanted)


@given(scales, zero_points, dtypes, arrays.arrays(np.float32, (3, 5), elements=st.floats(-10.0, 10.0, width=32)))
def test_the_real_time_form_gives_what_the_plain_one_gives(scale, zero_point, dtype, values):
    code = AffineCode(scale, zero_point, dtype)
    codes, back = np.full((3, 5), 99, dtype), np.full((3, 5), 99.0, np.float32)
    scratch = np.full((3, 5), np.nan), np.full((3, 5), np.nan)
    code.encode_into(values, codes, *scratch)
    code.decode_into(codes, back)
    np.testing.assert_array_equal(codes, code.encode(values))
    np.testing.assert_array_equal(back, code.decode(codes))


def test_codes_are_written_into_a_strided_view():
    memory = np.zeros((4, 2), np.int8)
    AffineCode(1.0, 0).encode_into(np.arange(4, dtype=np.float32), memory[:, 1], np.zeros(4), np.zeros(4))
    np.testing.assert_array_equal(memory, [[0, 0], [0, 1], [0, 2], [0, 3]])


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_the_code_of_a_tensor_is_its_quantization(dtype):
    assert code_of(tensor(dtype), "pedal.tflite") == AffineCode(0.5, 3, dtype)


@pytest.mark.parametrize("foreign", [tensor(np.float32), tensor(np.uint8), tensor(np.int32), tensor(tensor_scales=()),
                                     tensor(tensor_scales=(0.5, 0.5)), tensor(tensor_scales=(0.0,)),
                                     tensor(tensor_scales=(-0.5,)), tensor(tensor_scales=(float("nan"),))])
def test_a_tensor_that_is_no_integer_audio_is_refused_by_file_and_tensor(foreign):
    with pytest.raises(ModelFileError, match=r"pedal\.tflite: tensor 'dry' is .* wanted int8 or int16 with one pos"):
        code_of(foreign, "pedal.tflite")
