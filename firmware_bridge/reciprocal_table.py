"""The tables with which C looks up what LiteRT's sigmoid and tanh compute (runtime/pedal_gemmlowp.h).

Both come from one function of the argument's magnitude, the reciprocal R = 1 / ((1 + exp(-x)) / 2) in 13 fraction bits:
a sigmoid is 2·R, a tanh of x/2 is 4·(R − 1). gemmlowp computes R by a polynomial and Newton's division, whose roundings
leave it some steps beside the curve, up or down from one argument to the next; about a hundred instructions for each of
a unit's five functions. Looked up, R is exact as well: the gates' as a step for every 128 arguments and a byte for each
(33 KiB, a quick sum), a finer cell's as straight lines and four bits for each (17 KiB, once per unit).
"""

import numpy as np

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.fixed_point import INT16_MAX, Integers, sigmoid_table, tanh_table

ONE = 1 << 13
GATE_INTEGER_BITS = 2
"""A tanh of so many integer bits has the sigmoid's arguments; of more, some of them; of fewer, finer ones."""

PLACE_BITS = 7
CORRECTION_BITS = 4
CORRECTIONS_PER_WORD = 32 // CORRECTION_BITS

_ZERO = 1 << 15


def reciprocals(cell_integer_bits: int) -> Integers:
    """R at magnitudes 0 to 2¹⁵ of a tanh's argument, whose integer bits are at most GATE_INTEGER_BITS."""
    if cell_integer_bits == GATE_INTEGER_BITS:
        sigmoid = sigmoid_table()
        # At 0 the sigmoid and the tanh are exact, which R is not.
        return np.concatenate([[ONE], sigmoid[_ZERO + 1 :] // 2, [(INT16_MAX - sigmoid[0]) // 2]])
    tanh = tanh_table(cell_integer_bits)
    return ONE + np.concatenate([tanh[_ZERO:], [-tanh[0]]]) // 4


def steps(values: Integers) -> tuple[Integers, Integers]:
    """R as int16 (257,), the least of every 128 values, and uint8 (32769,) beyond it. Raises FirmwareError."""
    starts = np.arange(0, len(values), 1 << PLACE_BITS)
    lowest = np.minimum.reduceat(values, starts)
    beyond = values - lowest[np.arange(len(values)) >> PLACE_BITS]
    _check(beyond, 8)
    return lowest, beyond


def lines(values: Integers) -> tuple[Integers, Integers]:
    """R as int32 (257,), 65536 · value + slope at every 128th magnitude, and uint32 (4097,): eight corrections of four
    bits, the first in the lowest.

    Values lie below every R by so much that no correction is negative. Raises FirmwareError.
    """
    magnitudes = np.arange(len(values))
    knots = np.append(values[:: 1 << PLACE_BITS], values[-1])
    slopes = np.diff(knots)
    place, within = magnitudes >> PLACE_BITS, magnitudes & ((1 << PLACE_BITS) - 1)
    corrections = values - (knots[place] + (slopes[place] * within >> PLACE_BITS))
    lowest = int(np.min(corrections))
    _check(corrections - lowest, CORRECTION_BITS)
    filled = np.zeros(-(-len(values) // CORRECTIONS_PER_WORD) * CORRECTIONS_PER_WORD, np.int64)
    filled[: len(values)] = corrections - lowest
    shifts = np.arange(CORRECTIONS_PER_WORD) * CORRECTION_BITS
    return ((knots[:-1] + lowest) << 16) + slopes, np.sum(filled.reshape(-1, len(shifts)) << shifts, axis=1)


def _check(values: Integers, bits: int) -> None:
    if np.min(values) < 0 or np.max(values) >> bits:
        raise FirmwareError(f"corrections of {np.min(values)} to {np.max(values)}, beyond {bits} bits; this is a bug, "
                            "please report it")
