"""How an integer pedal's int16 samples become the integers of its network, and back, without a float.

The reference rounds after every float32 product, so a plain product in integers may differ from it in a few of the
65,536 samples. Both ways that the runtime knows (pedal_audio.h) are modelled here, and tried against all of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.fixed_point import Integers

SAMPLES = np.arange(-(2**15), 2**15, dtype=np.int64)
"""All int16."""

_LARGEST_SHIFT = 31
_MULTIPLIER_BITS = 32
_FLOAT_BITS = 24
_FOLLOWED_BITS = 38
_LARGEST_FOLLOWED_SHIFT = 62


@dataclass(frozen=True)
class Int16Map:
    """value · multiplier / 2^shift, and in between what float32 would round if ``float_gain`` is there.

    Attributes:
        multiplier: below 2³², or below 2³⁸ with a ``float_gain``. shift: 0 to 62.
        float_gain: the gain's 24 bits; None for one product with one rounding.
    """

    multiplier: int
    shift: int
    float_gain: int | None = None

    def apply(self, values: Integers) -> Integers:
        """Unsaturated; as pedal_scale_integer and pedal_follow_float compute it."""
        if self.float_gain is not None:
            return _follow_float(values, self)
        if not self.shift:
            return values * self.multiplier
        return (values * self.multiplier + (1 << (self.shift - 1)) - (values < 0)) >> self.shift


def find_map(wanted: Callable[[NDArray[np.int64]], Integers], low: int, high: int, gain: np.float32,
             factor: float, what: str) -> Int16Map:
    """The cheapest map that gives every one of int16's answers.

    Args:
        wanted: of samples (65536,), the reference's integers, saturated to ``low`` … ``high``.
        gain: first float32 factor. factor: the second, in integers per int16 step, float32 as well or a power of two.
        what: names the signal in messages.

    Raises:
        FirmwareError: there is none.
    """
    answers = wanted(SAMPLES)

    def right(candidate: Int16Map) -> bool:
        return bool(np.array_equal(np.clip(candidate.apply(SAMPLES), low, high), answers))

    for shift in range(_LARGEST_SHIFT + 1):
        multiplier = _one_product(answers, shift, low, high)
        if multiplier is not None and right(Int16Map(multiplier, shift)):
            return Int16Map(multiplier, shift)
    for candidate in _float_products(gain, factor):
        if right(candidate):
            return candidate
    raise FirmwareError(f"{what}: no fixed-point product rounds all int16 samples as float32 does; choose --io float")


def _one_product(answers: Integers, shift: int, low: int, high: int) -> int | None:
    """A multiplier that the positive samples allow: each with its answer bounds it from both sides."""
    positive = (SAMPLES > 0) & (answers > low) & (answers < high)
    samples, found = SAMPLES[positive], answers[positive]
    if not len(samples):
        return None
    half = 1 << shift >> 1
    lowest = int(np.max(-((half - (found << shift)) // samples)))
    highest = int(np.min(-((half - ((found + 1) << shift)) // samples))) - 1
    # Without a shift the product itself must fit 32 bits.
    return lowest if 0 <= lowest <= highest and lowest < 1 << (_MULTIPLIER_BITS if shift else 15) else None


def _float_products(gain: np.float32, factor: float) -> list[Int16Map]:
    """The float32 products, the second as near as 38 bits come and one step to either side of that."""
    gain_mantissa, gain_exponent = math.frexp(float(gain))
    mantissa, exponent = math.frexp(factor)
    shift = min(_FLOAT_BITS + _FOLLOWED_BITS - 1 - gain_exponent - exponent, _LARGEST_FOLLOWED_SHIFT)
    nearest = round(mantissa * 2.0 ** (shift - _FLOAT_BITS + gain_exponent + exponent))
    return [Int16Map(nearest + step, shift, int(gain_mantissa * 2.0**_FLOAT_BITS)) for step in (0, 1, -1)]


def _follow_float(values: Integers, found: Int16Map) -> Integers:
    """As pedal_follow_float, for all values at once; products stay below 2⁶³."""
    assert found.float_gain is not None
    magnitude, one = np.abs(values) * found.float_gain, np.int64(1)
    extra = np.maximum(_count_bits(magnitude) - _FLOAT_BITS, 0)
    rounded = (magnitude + (one << extra >> 1) - 1 + (magnitude >> extra & 1)) >> extra
    magnitude, left = np.where(extra > 0, rounded, magnitude), found.shift - extra
    magnitude = magnitude * found.multiplier
    last = np.maximum(_count_bits(magnitude) - _FLOAT_BITS, 0)
    result = (magnitude + (one << (left - 1)) + (one << last >> 1)) >> left
    return np.where(values < 0, -result, result)


def _count_bits(values: Integers) -> Integers:
    """Bit lengths of numbers from 0 to 2⁶³; a float64 holds only 53 bits of them."""
    high = values >> 32
    return np.where(high > 0, np.frexp(high)[1] + 32, np.frexp(values & 0xFFFFFFFF)[1]).astype(np.int64)
