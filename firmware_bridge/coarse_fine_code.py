"""Audio in two int8 channels (contract/coarse_fine.py) as C, and what its int16 samples must be.

With int16 samples the answer, the dry signal and both gains meet in fixed point, with 8 guard bits: a sample may be
one int16 step beside what the float player gives.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.fixed_point import (
    INT8_MAX,
    INT8_MIN,
    INT16_MAX,
    INT16_MIN,
    Integers,
    round_half_away,
    saturate,
)
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.manifest import Manifest
from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS, map_defines
from neuralpedal.firmware_bridge.c_text import array, define, float_literal, int32_literal
from neuralpedal.firmware_bridge.int16_map import Int16Map, find_map
from neuralpedal.firmware_bridge.tflite_constants import TfliteNetwork

GUARD_BITS = 8
DRY_SHIFT = 24
_CODES = np.arange(INT8_MIN, INT8_MAX + 1)


@dataclass(frozen=True)
class PairDecoder:
    """int16 samples of two answers and the dry sample, as pedal_decode_pair computes them.

    Attributes:
        coarse, fine: (256,) by code + 128, with guard bits. dry_multiplier: guard steps per int16 step, times 2²⁴; 0
            without a skip.
    """

    coarse: Integers
    fine: Integers
    dry_multiplier: int

    def decode(self, coarse: NDArray[np.int8], fine: NDArray[np.int8], dry: NDArray[np.int16]) -> NDArray[np.int16]:
        """(T,) each."""
        inside = (fine > INT8_MIN) & (fine < INT8_MAX)
        wet = np.where(inside, self.fine[fine.astype(np.int64) - INT8_MIN],
                       self.coarse[coarse.astype(np.int64) - INT8_MIN])
        wet = wet + (dry.astype(np.int64) * self.dry_multiplier >> DRY_SHIFT)
        return saturate((wet + (1 << (GUARD_BITS - 1))) >> GUARD_BITS, INT16_MIN, INT16_MAX).astype(np.int16)


def pair_decoder(coarse: AffineCode, fine: AffineCode, manifest: Manifest) -> PairDecoder:
    """The decoder of a file with these output formats."""
    gain = float(linear_gain(manifest.output_gain_db))
    steps = INT16_STEPS * 2.0**GUARD_BITS * gain

    def table(code: AffineCode) -> Integers:
        # Beyond four times full scale everything saturates, and the sum with the dry signal must fit 32 bits.
        limit = 4.0 * INT16_STEPS * 2.0**GUARD_BITS
        values = (_CODES - code.zero_point) * code.scale * steps
        return round_half_away(np.clip(values, -limit, limit)).astype(np.int64)

    dry = round(float(linear_gain(manifest.input_gain_db)) * gain * 2.0 ** (GUARD_BITS + DRY_SHIFT))
    return PairDecoder(table(coarse), table(fine), dry if manifest.recurrent.skip else 0)


def pair_limit(ratio: int) -> int:
    """Fine steps from 0 to the ends of the coarse channel."""
    return INT8_MAX * ratio + ratio // 2


def pair_input_map(network: TfliteNetwork, manifest: Manifest) -> Int16Map:
    """From int16 samples to fine steps. Raises FirmwareError: there is none."""
    assert manifest.audio_code
    ratio, gain = manifest.audio_code.ratio, linear_gain(manifest.input_gain_db)
    limit, step = pair_limit(ratio), network.input_code.scale / ratio

    def wanted(samples: Integers) -> Integers:
        heard = ((samples / INT16_STEPS).astype(np.float32) * gain).astype(np.float32)
        steps = round_half_away((heard / np.float32(step)).astype(np.float32))
        return np.clip(steps, -limit, limit - 1).astype(np.int64)

    return find_map(wanted, -limit, limit - 1, gain, 1.0 / (INT16_STEPS * step), "the input")


def coarse_fine_defines(network: TfliteNetwork, manifest: Manifest, int16_audio: bool) -> Iterator[str]:
    """Constants of both borders. Raises FirmwareError."""
    assert manifest.audio_code
    ratio = manifest.audio_code.ratio
    limit = pair_limit(ratio)
    yield define("RATIO", ratio)
    yield define("RATIO_BITS", ratio.bit_length() - 1)
    yield define("INPUT_ZERO_POINT", 0)
    yield define("INPUT_LOW", -limit)
    yield define("INPUT_HIGH", limit - 1)
    if not int16_audio:
        yield define("INPUT_GAIN", float_literal(linear_gain(manifest.input_gain_db)))
        yield define("INPUT_SCALE", float_literal(network.input_code.scale / ratio))
        yield define("OUTPUT_GAIN", float_literal(linear_gain(manifest.output_gain_db)))
        for name, head in zip(("COARSE", "FINE"), network.heads, strict=True):
            yield define(f"{name}_SCALE", float_literal(head.target.scale))
        return
    yield from map_defines("INPUT", pair_input_map(network, manifest))
    yield define("SAMPLE_GUARD_BITS", GUARD_BITS)
    if manifest.recurrent.skip:
        decoder = pair_decoder(network.heads[0].target, network.heads[1].target, manifest)
        yield define("DRY_MULTIPLIER", f"INT64_C({decoder.dry_multiplier})")
        yield define("DRY_SHIFT", DRY_SHIFT)


def coarse_fine_tables(network: TfliteNetwork, manifest: Manifest) -> Iterator[str]:
    """The samples of both answers."""
    decoder = pair_decoder(network.heads[0].target, network.heads[1].target, manifest)
    for name, values in (("coarse", decoder.coarse), ("fine", decoder.fine)):
        yield array(f"const int32_t pedal_{name}_samples[256]", [("", [int32_literal(int(value)) for value in values])])
