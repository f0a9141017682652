"""Sigmoid and tanh of the scheme ``w8a16``, defined exactly in integers (docs/integer-lstm.md).

One table serves both: sigmoid at multiples of 1/32 from −16 to 16, linear between them; tanh x = 2·sigmoid(2x) − 1.
A signed table instead of half of one: no kernel has to take magnitudes and put signs back. Entries in Q0.31, because a
forget gate of 0.9999 is worth as much as its distance from 1 is exact.
The entries are not quite sigmoid's: each is moved by half of the largest error of its chords, so that interpolation
errs to both sides and half as far as it would with exact nodes.
"""

from decimal import Decimal, localcontext
from functools import cache
from hashlib import sha256

import numpy as np

from neuralpedal.contract.fixed_point import Integers

STEPS_PER_UNIT = 32
LARGEST_ARGUMENT = 16
"""Beyond ±16 the functions stay at their value there: a sigmoid never comes nearer to 0 or 1 than 1.13e-7."""

SIGMOID_ONE = 2**31
TANH_ONE = 2**30
ARGUMENT_BITS = 20
"""Fraction bits of an argument: 5 choose the interval, 15 the place within it."""

TABLE_SHA256 = "b37694a0c618766c0802b107566838153397d592f15423df05c0aed59169e449"
"""Of the 1025 entries as little-endian int32."""

PLACE_BITS = ARGUMENT_BITS - 5
PLACE_MASK = (1 << PLACE_BITS) - 1
ORIGIN = LARGEST_ARGUMENT << ARGUMENT_BITS
"""Place of the argument 0."""

# A chord over an interval of length d errs by up to d²/8 · σ''; half of that, at d = 1/32, is σ''/2¹⁴.
_HALF_CHORD_ERROR = Decimal(2) ** -14


@cache
def sigmoid_table() -> Integers:
    """The 1025 nodes in Q0.31, as int64: round(2³¹ · (σ − σ''/2¹⁴)) of k/32, k = −512 … 512, σ'' = σ(1−σ)(1−2σ)."""
    last = LARGEST_ARGUMENT * STEPS_PER_UNIT
    with localcontext() as context:
        context.prec = 40
        return np.array([int(_node(Decimal(k) / STEPS_PER_UNIT).to_integral_value())
                         for k in range(-last, last + 1)], dtype=np.int64)


def _node(x: Decimal) -> Decimal:
    sigma = 1 / (1 + (-x).exp())
    curvature = sigma * (1 - sigma) * (1 - 2 * sigma)
    return SIGMOID_ONE * (sigma - curvature * _HALF_CHORD_ERROR)


def table_digest() -> str:
    """SHA-256 of the table, in hex; equal to ``TABLE_SHA256``."""
    return sha256(sigmoid_table().astype("<i4").tobytes()).hexdigest()


@cache
def interpolation_rows() -> Integers:
    """(1026, 2): a value and the slope to its right for every interval, with one row before and one behind the table.

    Behind its ends the functions stay at what the last places inside give; so an index that is clipped to the rows does
    what kernels do by saturating the argument.
    """
    nodes = sigmoid_table()
    slopes = np.diff(nodes)
    last_place = nodes[-2] + (slopes[-1] * ((1 << PLACE_BITS) - 1) >> PLACE_BITS)
    return np.stack([np.concatenate([nodes[:1], nodes[:-1], [last_place]]), np.concatenate([[0], slopes, [0]])], axis=1)


def sigmoid(values: Integers, fraction_bits: int) -> Integers:
    """Sigmoid in Q0.31 of integers with ``fraction_bits`` (9 to 27)."""
    return _interpolate(_table_place(values, fraction_bits))


def tanh(values: Integers, fraction_bits: int) -> Integers:
    """Tanh in Q0.30 of integers with ``fraction_bits``: one fraction bit less doubles the argument."""
    return _interpolate(_table_place(values, fraction_bits - 1)) - TANH_ONE


def _table_place(values: Integers, fraction_bits: int) -> Integers:
    """Where arguments lie in the table, 0 to 2²⁵ − 1: 10 bits of interval, 15 bits within it; floor, saturating."""
    shift = ARGUMENT_BITS - fraction_bits
    limit = LARGEST_ARGUMENT << fraction_bits
    near = np.minimum(np.maximum(values, -limit), limit - 1)
    return (near << shift if shift >= 0 else near >> -shift) + ORIGIN


def _interpolate(places: Integers) -> Integers:
    """Between two nodes, floor."""
    nodes, interval = sigmoid_table(), places >> PLACE_BITS
    slopes = nodes[interval + 1] - nodes[interval]
    result: Integers = nodes[interval] + ((slopes * (places & PLACE_MASK)) >> PLACE_BITS)
    return result
