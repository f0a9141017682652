"""Weights as int8: symmetric, −127 to 127, one scale per output channel or one per matrix.

−128 is left out so that the range is symmetric: TFLite's kernels require it and a sign flip stays representable.
One scale per output channel gives about a tenth of the error energy of one scale per gate matrix, but TFLite's integer
LSTM accepts only the latter.
Source: TFLite 8-bit quantization specification, https://ai.google.dev/edge/litert/models/quantization_spec
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.fixed_point import round_half_away

WEIGHT_LIMIT = 127
"""Largest magnitude of an int8 weight."""

_BIAS_LIMIT = 2**30
WIDE_BIAS_LIMIT = 2**45
"""Largest magnitude of a bias beside 16-bit signals: tflite-micro's sums stay below 2⁴⁷."""


@dataclass(frozen=True)
class QuantizedWeights:
    """One matrix of int8 weights, rows = output channels.

    Attributes:
        values: int8 (outputs, inputs), −127 to 127.
        scales: float32, (outputs,) or (1,).
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]

    def dequantized(self) -> NDArray[np.float32]:
        """The matrix that the scales and integers stand for, float32 (outputs, inputs)."""
        return self.values.astype(np.float32) * self.scales[:, np.newaxis]


def quantize_per_channel(matrix: NDArray[np.float32]) -> QuantizedWeights:
    """Quantize (outputs, inputs) with one scale per row."""
    scales = symmetric_scales(np.max(np.abs(matrix), axis=1))
    return QuantizedWeights(_quantize(matrix, scales[:, np.newaxis]), scales)


def quantize_per_matrix(matrix: NDArray[np.float32], smallest_scale: float = 0.0) -> QuantizedWeights:
    """Quantize (outputs, inputs) with one scale for all, not finer than ``smallest_scale``."""
    peak = max(float(np.max(np.abs(matrix))), smallest_scale * WEIGHT_LIMIT)
    scales = symmetric_scales(np.array([peak]))
    return QuantizedWeights(_quantize(matrix, scales), scales)


@dataclass(frozen=True)
class BiasedWeights:
    """A matrix with the bias of its integer product; a step of the bias is the matrix's scale times the input's.

    Attributes:
        bias: (outputs,), int32, or int64 where a wider limit was asked for.
    """

    weights: QuantizedWeights
    bias: NDArray[Any]


def quantize_with_bias(matrix: NDArray[np.float32], bias: NDArray[np.float32], input_scale: float,
                       bias_limit: int = _BIAS_LIMIT) -> BiasedWeights:
    """Quantize (outputs, inputs) with one scale, and its bias (outputs,) in steps of that scale times the input's."""
    # A matrix that is tiny beside its bias would push the bias out of range: then the matrix gives up resolution.
    smallest = float(np.max(np.abs(bias))) / bias_limit / input_scale
    weights = quantize_per_matrix(matrix, smallest)
    steps = round_half_away(bias.astype(np.float64) / (input_scale * float(weights.scales[0])))
    return BiasedWeights(weights, steps.astype(np.int32 if bias_limit <= _BIAS_LIMIT else np.int64))


def symmetric_scales(peaks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The scale that maps each peak magnitude to 127; 1 where there is nothing to scale (a scale must not be 0)."""
    scales = (np.asarray(peaks, dtype=np.float64) / WEIGHT_LIMIT).astype(np.float32)
    return np.where(scales >= np.finfo(np.float32).tiny, scales, np.float32(1.0))


def _quantize(matrix: NDArray[np.float32], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    steps = round_half_away(matrix.astype(np.float64) / scales.astype(np.float64))
    return np.clip(steps, -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)
