"""Chooses the integer formats of a ``w8a16`` file: as fine as 32 bits allow, with room where audio decides.

Gate formats follow from the weights alone: the finest in which no audio whatever can overflow. What weights do not
bound is measured by playing calibration audio through the float64 reference: cells and output, which get more room than
was seen and saturate beyond it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ConversionError
from neuralpedal.contract.int8_constants import Int8Matrix
from neuralpedal.contract.integer_format import CELL_BITS, IntegerFormat, LayerFormat
from neuralpedal.contract.integer_network import SCHEME, make_head, make_layer
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.weight_quantization import quantize_per_channel

Formats = TypeVar("Formats")

WARM_UP_S = 1.0
"""Longer than for int8: a cell that integrates for seconds is what this scheme exists for."""

CELL_HEADROOM, OUTPUT_HEADROOM = 16.0, 2.0
"""Over what calibration saw. Slow cells wander much farther on other playing, a saturated one is audible, and bits to
spare there are: 17 fraction bits still suffice where forget gates are 0.9999 and cells reach 300."""

_GATE_BITS = range(20, 8, -1)
_CELL_BITS = range(9, 28)
_GUARD_BITS = range(8, -1, -1)
_AUDIO_BITS = 15
"""Full scale always passes, in and out: what a quiet network would gain by a finer output is inaudible, and the jump of
a state that starts at zero would saturate."""


@dataclass(frozen=True)
class IntegerRanges:
    """Peaks that audio decides: of the input, of each layer's cells, of the output; full scale = 1."""

    input: float
    cells: tuple[float, ...]
    output: float


def measure_ranges(weights: NetworkWeights, samples: NDArray[np.float32]) -> IntegerRanges:
    """Play ``samples`` (T,) float32 and note the peaks.

    Raises:
        RecordingError: the audio is empty or silent.
    """
    # Short audio is not cut so often that its pieces would be warm-up for the most part.
    warm_up = min(round(WARM_UP_S * weights.spec.sample_rate_hz), len(samples) // 8)
    found = calibrate(weights, samples, warm_up_samples=warm_up)
    return IntegerRanges(found.input.peak, tuple(cell.peak for cell in found.cell), found.output.peak)


def choose_formats(weights: NetworkWeights, ranges: IntegerRanges, input_gain: float = 1.0) -> IntegerFormat:
    """Formats that hold ``ranges``.

    Args:
        input_gain: the player's, a factor: full scale times this must pass the network's input.

    Raises:
        ConversionError: weights too large for 32-bit sums.
    """
    input_bits = _audio_bits(max(input_gain, ranges.input))
    output_bits = _audio_bits(OUTPUT_HEADROOM * ranges.output)
    layers = tuple(
        _layer_format(layer, cell, input_bits if index == 0 else None)
        for index, (layer, cell) in enumerate(zip(weights.layers, ranges.cells, strict=True))
    )

    def try_guard(guard: int) -> IntegerFormat:
        formats = IntegerFormat(input_fraction_bits=input_bits, output_fraction_bits=output_bits,
                                output_guard_bits=guard, layers=layers)
        make_head(_quantized(weights.head_kernel), weights.head_bias.astype(np.float64), formats, weights.spec.skip)
        return formats

    return _finest(_GUARD_BITS, try_guard)


def _audio_bits(peak: float) -> int:
    return max(0, _AUDIO_BITS - math.ceil(math.log2(max(peak, 1.0))))


def _layer_format(layer: RecurrentWeights, cell_peak: float, input_bits: int | None) -> LayerFormat:
    """The finest gate format that the weights allow and the finest cell format that holds the peak."""
    integer_bits = math.ceil(math.log2(max(CELL_HEADROOM * cell_peak, 1.0)))
    cell_bits = min(max(CELL_BITS - 1 - integer_bits, _CELL_BITS.start), _CELL_BITS.stop - 1)
    kernel, recurrent = _quantized(layer.kernel), _quantized(layer.recurrent_kernel)
    bias = layer.bias.astype(np.float64)

    def try_bits(bits: int) -> LayerFormat:
        formats = LayerFormat(gate_fraction_bits=bits, cell_fraction_bits=cell_bits)
        make_layer(kernel, recurrent, bias, formats, input_bits)
        return formats

    return _finest(_GATE_BITS, try_bits)


def _finest(bits: range, attempt: Callable[[int], Formats]) -> Formats:
    """What ``attempt`` gives for the first number of bits that it accepts."""
    refusal = ""
    for number in bits:
        try:
            return attempt(number)
        except ValueError as error:
            refusal = str(error)
    raise ConversionError(f"weights too large for the 32-bit sums of {SCHEME}: {refusal}; convert to w8 instead")


def _quantized(matrix: NDArray[np.float32]) -> Int8Matrix:
    """(inputs, outputs) as the file will hold it."""
    quantized = quantize_per_channel(np.ascontiguousarray(matrix.T))
    return Int8Matrix(quantized.values.astype(np.int64), quantized.scales.astype(np.float64))
