"""Sigmoid and tanh as tflite-micro's integer kernels compute them: 256 nodes of the sigmoid, straight lines between.

LiteRT's integer LSTM computes the same functions by gemmlowp's polynomials (``fixed_point.py``), which differ by some
steps of Q0.15; so the two interpreters play one file differently. Node k stands at k/24, in 65536ths, and lies above
the curve by half of what the straight lines later fall below it, so that the error is as large upwards as downwards.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/{logistic.h, tanh.h} of tflite-micro.
"""

from functools import cache

import numpy as np

from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN, Integers, round_half_away

_NODES = 256
_NODES_PER_UNIT = 24


@cache
def sigmoid_by_lines() -> Integers:
    """Sigmoid of every Q3.12 input (index: input + 32768) in Q0.15."""
    # Three steps per input step: a node's distance, 1/24 in Q3.12, times 3 is 512.
    steps = np.arange(INT16_MIN, INT16_MAX + 1, dtype=np.int64) * 3
    magnitude = np.abs(steps)
    result = np.where(magnitude >> 9 >= _NODES - 1, INT16_MAX << 10, _between_nodes(magnitude, 9))
    return np.where(steps >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1) >> 10


@cache
def tanh_by_lines(integer_bits: int) -> Integers:
    """Tanh of every int16 input with ``integer_bits`` (index: input + 32768) in Q0.15, as 2 · sigmoid(2x) − 1."""
    shift = integer_bits - 3
    inputs = np.arange(INT16_MIN, INT16_MAX + 1, dtype=np.int64) * 3
    # Finer inputs than Q3.12 are rounded to it, halves up.
    steps = inputs << shift if shift >= 0 else (inputs + (1 << (-shift - 1))) >> -shift
    magnitude = np.abs(steps)
    result = np.where(magnitude >> 8 >= _NODES - 1, 0xFFFF << 8, _between_nodes(magnitude, 8))
    one, half = 1 << 23, 1 << 7
    return np.where(steps >= 0, result - one + half, one - result + half - 1) >> 8


@cache
def sigmoid_nodes() -> Integers:
    """The nodes k/24, k from 0 to 255, in 65536ths."""
    x = np.arange(_NODES) / _NODES_PER_UNIT
    value = 1.0 / (1.0 + np.exp(-x))
    curvature = value * (1.0 - value) * (2.0 * value - 1.0)
    nodes = round_half_away(2.0**16 * (value + curvature / _NODES_PER_UNIT**2 / 16.0)).astype(np.int64)
    nodes[-1] = 2**16 - 1
    return nodes


def _between_nodes(magnitude: Integers, bits: int) -> Integers:
    """The line at ``magnitude``, nodes 2^bits apart, times 2^bits; beyond the last node meaningless."""
    nodes = sigmoid_nodes()
    place = np.minimum(magnitude >> bits, _NODES - 2)
    return (nodes[place] << bits) + (magnitude & ((1 << bits) - 1)) * (nodes[place + 1] - nodes[place])
