"""The integer formats of every signal in a ``w8a8`` file, made from calibrated ranges.

Zero is exact in each, so that silence stays silence. Beyond that the scales are not quite the tightest that hold the
ranges: they are chosen so that the implementations inside LiteRT round alike, see :func:`choose_grids`.
"""

import math
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.fixed_point import INT8_MAX, INT8_MIN, MAX_TANH_INTEGER_BITS, round_half_away
from neuralpedal.contract.weights import NetworkWeights
from neuralpedal.convert.calibration import ActivationRanges, Range
from neuralpedal.convert.weight_quantization import quantize_with_bias

_SKIP_DENOMINATOR = 509
_SMALLEST_HEAD_NUMERATOR = 32
RATIO = 16
"""Coarse over fine steps. With 32 the fine column of the input kernel has too few int8 steps (tried on an SD-1)."""

_DRY_ROOM = 2.0
_SCALE_OF_NOTHING = 2.0**-7


@dataclass(frozen=True)
class SignalGrids:
    """The int8 grids of every signal, and the scale of every cell state.

    Attributes:
        fine_head, ratio: of a file with coarse and fine channels (contract/coarse_fine.py), whose ``dry`` is the coarse
            grid and whose ``wet`` is ``head``: there the player adds the skip.
    """

    dry: AffineCode
    hidden: tuple[AffineCode, ...]
    cell_scales: tuple[float, ...]
    head: AffineCode
    wet: AffineCode
    fine_head: AffineCode | None = None
    ratio: int | None = None


def choose_grids(weights: NetworkWeights, ranges: ActivationRanges) -> SignalGrids:
    """Grids that hold ``ranges``, with ratios at which LiteRT's implementations round alike.

    Its dense layer and addition exist several times (XNNPACK, reference), and differ by one step where a result lies
    about halfway between two integers. Ratios of scales with an odd denominator q keep every result at least 1/2q away
    from there: q is chosen for the head, and 509 for the skip, whose sums are inexact by up to 0.0005 of a step. It
    costs a few percent of range at most. Dense kernels that round twice (tflite-runtime, tflite-micro, LiteRT without
    XNNPACK) still differ by one step now and then.
    """
    hidden = tuple(tightest_grid(layer) for layer in ranges.hidden)
    cells = tuple(cell_scale(layer.peak) for layer in ranges.cell)
    dry, wet, head = (tightest_grid(found) for found in (ranges.input, ranges.output, ranges.head))
    kernel = quantize_with_bias(weights.head_kernel.T, weights.head_bias, hidden[-1].scale).weights
    step = hidden[-1].scale * float(kernel.scales[0])
    q = _SKIP_DENOMINATOR
    # A head that is quiet beside the dry signal needs no finer steps than a sixteenth of the sum's.
    smallest = max(head.scale, wet.scale * _SMALLEST_HEAD_NUMERATOR / q if weights.spec.skip else 0.0)
    head = grid_of_scale(ranges.head, step * _odd_at_least(smallest / step))
    if not weights.spec.skip:
        return SignalGrids(dry, hidden, cells, head, head)
    # The head's scale is fixed by now, so the wet one follows it, and the dry one follows the wet.
    wet = grid_of_scale(ranges.output, head.scale * q / math.floor(q * head.scale / wet.scale))
    dry = grid_of_scale(ranges.input, wet.scale * math.ceil(q * dry.scale / wet.scale) / q)
    return SignalGrids(dry, hidden, cells, head, wet)


def choose_coarse_fine_grids(weights: NetworkWeights, ranges: ActivationRanges, ratio: int = RATIO) -> SignalGrids:
    """Grids of a file with coarse and fine channels; both heads' scales as odd multiples as in :func:`choose_grids`.

    The dry signal gets twice the room that was seen, though no more than full scale unless that was seen: with four
    bits to spare it need not saturate when somebody plays louder than the recording.
    """
    hidden = tuple(tightest_grid(layer) for layer in ranges.hidden)
    cells = tuple(cell_scale(layer.peak) for layer in ranges.cell)
    peak = max(ranges.input.peak, min(1.0, _DRY_ROOM * ranges.input.peak))
    dry = AffineCode(float(np.float32(peak / (INT8_MAX + 0.5))), 0)
    kernel = quantize_with_bias(weights.head_kernel.T, weights.head_bias, hidden[-1].scale).weights
    step = hidden[-1].scale * float(kernel.scales[0])
    coarse = tightest_grid(ranges.head).scale
    head = grid_of_scale(ranges.head, step * _odd_at_least(coarse / step))
    fine = AffineCode(float(np.float32(step * _odd_at_least(coarse / ratio / step))), 0)
    return SignalGrids(dry, hidden, cells, head, head, fine, ratio)


def tightest_grid(found: Range) -> AffineCode:
    """The int8 grid over a range, widened to hold 0; an empty range gets the scale 1/128."""
    low, high = min(0.0, found.low), max(0.0, found.high)
    scale = (high - low) / (INT8_MAX - INT8_MIN)
    return grid_of_scale(found, scale if scale >= np.finfo(np.float32).tiny else _SCALE_OF_NOTHING)


def grid_of_scale(found: Range, scale: float) -> AffineCode:
    """The grid of the given scale whose 256 points lie over the middle of the range, or as near as zero allows."""
    scale = float(np.float32(scale))
    low, high = min(0.0, found.low), max(0.0, found.high)
    zero_point = int(round_half_away((INT8_MIN + INT8_MAX - (low + high) / scale) / 2.0))
    return AffineCode(scale, min(max(zero_point, INT8_MIN), INT8_MAX))


def _odd_at_least(value: float) -> int:
    return 2 * math.ceil((value - 1.0) / 2.0) + 1 if value > 1.0 else 1


def cell_scale(peak: float) -> float:
    """The power of two from 2⁻¹⁵ to 2⁻⁹ whose int16 range holds ±peak; beyond 64 the cell saturates."""
    integer_bits = math.ceil(math.log2(max(peak, 2.0**-20)))
    return 2.0 ** (min(max(integer_bits, 0), MAX_TANH_INTEGER_BITS) - 15)
