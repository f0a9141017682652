"""Pieces that a model's blob is made of, whatever its arithmetic (docs/link-protocol.md)."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.fixed_point import INT16_MAX, INT16_MIN, Integers
from neuralpedal.contract.gain import linear_gain
from neuralpedal.firmware_bridge.audio_defines import input_map, output_map
from neuralpedal.firmware_bridge.generated_code import padded
from neuralpedal.firmware_bridge.int16_map import Int16Map
from neuralpedal.firmware_bridge.link.protocol import Samples


def blob_constants(first: bytes, heard: bytes, sounding: bytes) -> bytes:
    """64 bytes: of the network, of its input, of its output."""
    return b"".join(part.ljust(16, b"\0") for part in (first, heard, sounding, b""))


def audio_map(samples: Samples, code: AffineCode, gain_db: float, is_input: bool) -> bytes:
    """How samples become integers of ``code``, or the other way: see runtime/pedal_audio.h. Raises FirmwareError."""
    if samples == Samples.FLOAT:
        return float_map(gain_db, code.scale)
    return int16_map(input_map(code, gain_db) if is_input else output_map(code, gain_db))


def float_map(gain_db: float, scale: float) -> bytes:
    """Of float samples."""
    return struct.pack("<ff", linear_gain(gain_db), scale)


def int16_map(found: Int16Map) -> bytes:
    """Of int16 samples."""
    return struct.pack("<QII", found.multiplier, found.float_gain or 0, found.shift)


def filled(values: NDArray[Any]) -> NDArray[Any]:
    """(H,) with zeros up to whole groups of units."""
    return np.pad(values, (0, padded(len(values)) - len(values)))


def int16_table(values: Integers) -> bytes:
    """Little-endian."""
    assert values.min() >= INT16_MIN and values.max() <= INT16_MAX
    return values.astype("<i2").tobytes()
