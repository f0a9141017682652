"""The order of weights in which the integer kernels read them (pedal_dsp.h, pedal_sum_gates)."""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.fixed_point import Integers
from neuralpedal.firmware_bridge.generated_code import HIDDEN_MULTIPLE, padded


def interleave(matrix: Integers) -> Integers:
    """(4·H, inputs) by gate to a row: unit by unit, for every four inputs (padded with zeros) four of each gate."""
    units, inputs = len(matrix) // 4, matrix.shape[1]
    filled = np.zeros((4, units, padded(inputs)), np.int64)
    filled[:, :, :inputs] = matrix.reshape(4, units, inputs)
    return filled.reshape(4, units, -1, HIDDEN_MULTIPLE).transpose(1, 2, 0, 3).ravel()


def unit_order(size: int) -> Integers:
    """Of 4·H rows by gate, in which order they stand unit by unit."""
    order: Integers = np.arange(4 * size).reshape(4, size).T.ravel()
    return order


def unit_groups(items: list[str], per_unit: int, units: int) -> Iterator[tuple[str, list[str]]]:
    """Items of a table, unit by unit, with a comment each."""
    for unit in range(units):
        yield f"unit {unit}", items[unit * per_unit : (unit + 1) * per_unit]
