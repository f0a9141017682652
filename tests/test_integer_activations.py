"""Sigmoid and tanh in integers: the table against high precision, and how far interpolation is off."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from neuralpedal.contract.integer_activations import (
    SIGMOID_ONE,
    TABLE_SHA256,
    TANH_ONE,
    sigmoid,
    sigmoid_table,
    table_digest,
    tanh,
)
from scalar_w8a16 import TABLE
from scalar_w8a16 import sigmoid as scalar_sigmoid
from scalar_w8a16 import tanh as scalar_tanh

BITS = 20
ARGUMENTS = np.arange(-17 << BITS, 17 << BITS, 37)
REALS = ARGUMENTS / 2.0**BITS


def test_the_table_is_the_one_whose_digest_is_published():
    assert table_digest() == TABLE_SHA256


def test_a_table_from_math_exp_is_the_same_and_so_is_one_of_120_digits():
    assert sigmoid_table().tolist() == TABLE
    with localcontext() as context:
        context.prec = 120
        for k in range(-512, 513):
            s = 1 / (1 + (-Decimal(k) / 32).exp())
            exact = 2**31 * (s - s * (1 - s) * (1 - 2 * s) / 2**14)
            assert int(exact.to_integral_value()) == TABLE[k + 512]
            assert abs(exact % 1 - Decimal("0.5")) > Decimal("2e-4"), "any decent exp must round alike"


def test_the_table_is_odd_around_a_half_and_never_falls():
    table = sigmoid_table()
    assert np.all(table + table[::-1] == SIGMOID_ONE)
    assert np.all(np.diff(table) > 0)
    assert np.max(np.diff(table)) < 2**24


def test_sigmoid_errs_by_at_most_6e_6_and_to_both_sides():
    errors = (sigmoid(ARGUMENTS, BITS) / SIGMOID_ONE - 1.0 / (1.0 + np.exp(-REALS)))
    assert np.max(errors) == pytest.approx(5.87e-6, rel=0.01)
    assert np.min(errors) == pytest.approx(-5.87e-6, rel=0.01)


def test_tanh_errs_by_at_most_1_2e_5():
    errors = tanh(ARGUMENTS, BITS) / TANH_ONE - np.tanh(REALS)
    assert np.max(np.abs(errors)) == pytest.approx(1.175e-5, rel=0.01)


def test_the_distance_of_a_slow_forget_gate_from_1_is_relatively_exact():
    slow = ARGUMENTS[(REALS > 4.0) & (REALS < 9.9)]
    distance = (SIGMOID_ONE - sigmoid(slow, BITS)) / SIGMOID_ONE
    exact = 1.0 / (1.0 + np.exp(slow / 2.0**BITS))
    assert np.max(np.abs(distance / exact - 1.0)) < 1e-4


def test_zero_is_exact_and_the_ends_stay_inside_the_open_interval():
    assert sigmoid(np.array([0]), BITS)[0] == SIGMOID_ONE // 2
    assert tanh(np.array([0]), BITS)[0] == 0
    ends = np.array([-(2**31), 2**31 - 1])
    assert sigmoid(ends, BITS).tolist() == [242, SIGMOID_ONE - 243]
    assert np.all(np.abs(tanh(ends, BITS)) < TANH_ONE)


@pytest.mark.parametrize("bits", range(9, 28))
def test_every_format_gives_what_the_page_says(bits):
    rng = np.random.default_rng(bits)
    values = np.concatenate([rng.integers(-20 << bits, 20 << bits, 300), [0, -1, 1, (16 << bits) - 1, 16 << bits,
                                                                        -16 << bits, (8 << bits) - 1, 8 << bits]])
    values = np.clip(values, -(2**31), 2**31 - 1)
    assert sigmoid(values, bits).tolist() == [scalar_sigmoid(int(z), bits) for z in values]
    assert tanh(values, bits).tolist() == [scalar_tanh(int(z), bits) for z in values]


@pytest.mark.parametrize("bits", [9, 15, 20, 27])
def test_sigmoid_never_falls(bits):
    places = np.unique(np.clip(np.linspace(-17 << bits, 17 << bits, 100_001).astype(np.int64), -(2**31), 2**31 - 1))
    assert np.all(np.diff(sigmoid(places, bits)) >= 0)
