"""The constants with which pedal_audio.h turns samples into integers and back."""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN, Integers
from neuralpedal.contract.gain import linear_gain
from neuralpedal.firmware_bridge.c_text import define, float_literal
from neuralpedal.firmware_bridge.int16_map import Int16Map, find_map

INT16_STEPS = 32768
"""int16 steps from 0 to full scale."""


def encoding_defines(code: AffineCode, gain_db: float, int16_audio: bool) -> Iterator[str]:
    """From samples to integers of ``code``. Raises FirmwareError."""
    limits, gain = np.iinfo(code.dtype), linear_gain(gain_db)
    yield define("INPUT_ZERO_POINT", code.zero_point)
    yield define("INPUT_LOW", limits.min)
    yield define("INPUT_HIGH", limits.max)
    if not int16_audio:
        yield define("INPUT_GAIN", float_literal(gain))
        yield define("INPUT_SCALE", float_literal(code.scale))
        return

    yield from map_defines("INPUT", input_map(code, gain_db))


def decoding_defines(code: AffineCode, gain_db: float, int16_audio: bool) -> Iterator[str]:
    """From integers of ``code`` to samples. Raises FirmwareError."""
    gain = linear_gain(gain_db)
    if not int16_audio:
        yield define("OUTPUT_GAIN", float_literal(gain))
        yield define("OUTPUT_SCALE", float_literal(code.scale))
        return
    if code.dtype == np.int8:
        yield define("OUTPUT_IS_INT8", 1)
        return
    yield from map_defines("OUTPUT", output_map(code, gain_db))


def input_map(code: AffineCode, gain_db: float) -> Int16Map:
    """From int16 samples to integers of ``code``, without its zero point. Raises FirmwareError: there is none."""
    limits, gain = np.iinfo(code.dtype), linear_gain(gain_db)

    def wanted(samples: Integers) -> Integers:
        heard = (samples / INT16_STEPS).astype(np.float32) * gain
        return code.encode(heard.astype(np.float32)).astype(np.int64) - code.zero_point

    return find_map(wanted, limits.min - code.zero_point, limits.max - code.zero_point, gain,
                    1.0 / (INT16_STEPS * code.scale), "the input")


def output_map(code: AffineCode, gain_db: float) -> Int16Map:
    """From integers of ``code`` to int16 samples. Raises FirmwareError: there is none."""
    gain = linear_gain(gain_db)

    def wanted(values: Integers) -> Integers:
        return int16_of(code.decode(values) * gain)

    # The reference multiplies by the scale first.
    return find_map(wanted, INT16_MIN, INT16_MAX, np.float32(code.scale), INT16_STEPS * float(gain), "the output")


def answer_samples(code: AffineCode, gain_db: float) -> Integers:
    """(256,) int16 samples of all int8 answers."""
    return int16_of(code.decode(np.arange(-128, 128)) * linear_gain(gain_db))


def int16_of(samples: np.ndarray) -> Integers:
    """Float samples as int16 samples: to nearest, halves away from zero, saturating."""
    return AffineCode(1.0 / INT16_STEPS, 0, np.int16).encode(np.asarray(samples, np.float32)).astype(np.int64)


def map_defines(name: str, found: Int16Map) -> Iterator[str]:
    """The constants of a map."""
    yield define(f"{name}_MULTIPLIER", f"UINT32_C({found.multiplier})" if found.float_gain is None
                 else f"UINT64_C({found.multiplier})")
    yield define(f"{name}_SHIFT", found.shift)
    if found.float_gain is not None:
        yield define(f"{name}_FLOAT_GAIN", f"UINT32_C({found.float_gain})")
