"""What a scheme does to a network, as grids (contract/arithmetic.py) and as the weights that its file holds.

Written from the formats that the builders use, before any file exists: fine-tuning trains through it, the error budget
simulates it. A scheme's line here and its builder must be changed together; tests compare simulation and file.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.arithmetic import Arithmetic, CompandedGrid, Grid, LayerArithmetic
from neuralpedal.contract.fixed_point import INT8_MAX, round_half_away
from neuralpedal.contract.integer_format import CELL_BITS, HIDDEN_FRACTION_BITS, IntegerFormat, LayerFormat
from neuralpedal.contract.integer_network import MULTIPLIER_BITS
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.convert.signal_grids import SignalGrids
from neuralpedal.convert.weight_quantization import quantize_per_channel, quantize_per_matrix, quantize_with_bias

_INT16_BITS, _INT32_BITS = 15, 31
TFLITE_GATES = Grid(2.0**-12, -8.0, 8.0 - 2.0**-12)
"""Q3.12: what TFLite's integer LSTM has for its gates, whatever the network."""


def float_arithmetic(spec: NetworkSpec) -> Arithmetic:
    """``float32``: no grid at all."""
    return Arithmetic("free", (LayerArithmetic(),) * spec.num_layers)


def w8_arithmetic(spec: NetworkSpec) -> Arithmetic:
    """``w8``: weights with a scale per output channel, no other grid."""
    return Arithmetic("channel", (LayerArithmetic(),) * spec.num_layers)


def w8a16_arithmetic(formats: IntegerFormat) -> Arithmetic:
    """``w8a16``: what docs/integer-lstm.md rounds. Its gates are proved never to saturate."""
    dry, output_bits = _fixed_point(formats.input_fraction_bits), formats.output_fraction_bits
    return Arithmetic(
        "channel", tuple(map(_w8a16_layer, formats.layers)), input=dry,
        head=_fixed_point(output_bits + formats.output_guard_bits, _INT32_BITS), dry=dry,
        output=_fixed_point(output_bits),
    )


def _w8a16_layer(formats: LayerFormat) -> LayerArithmetic:
    return LayerArithmetic(gates=_fixed_point(formats.gate_fraction_bits, _INT32_BITS),
                           cell=_fixed_point(formats.cell_fraction_bits, CELL_BITS - 1),
                           hidden=_fixed_point(HIDDEN_FRACTION_BITS), activations="chords")


def w8a8_arithmetic(grids: SignalGrids, skip: bool) -> Arithmetic:
    """``w8a8`` and ``tflm16x8``: one weight scale per gate, TFLite's gates and cell. Without a skip the head is the
    output.

    Of a file with coarse and fine channels (contract/coarse_fine.py) the skip is exact. That its fine kernel column is
    rounded to fewer steps than the coarse one is left out.
    """
    layers = tuple(
        LayerArithmetic(gates=TFLITE_GATES, cell=Grid(scale, -(2.0**15) * scale, (2.0**15 - 1.0) * scale),
                        hidden=grid_of(hidden), activations="q15", in_shares=True)
        for hidden, scale in zip(grids.hidden, grids.cell_scales, strict=True)
    )
    if grids.ratio and grids.fine_head:
        return Arithmetic("gate", layers, input=_in_fine_steps(grids.dry.scale, grids.ratio),
                          head=CompandedGrid(grid_of(grids.head), grid_of(grids.fine_head)))
    dry, wet = grid_of(grids.dry), grid_of(grids.wet)
    return Arithmetic("gate", layers, input=dry, head=grid_of(grids.head), dry=dry if skip else None,
                      output=wet if skip else None)


def _in_fine_steps(scale: float, ratio: int) -> Grid:
    """Both channels of a coarse-fine dry signal as one: see contract.coarse_fine.CoarseFineInput."""
    step, limit = scale / ratio, INT8_MAX * ratio + ratio // 2
    return Grid(step, -limit * step, (limit - 1) * step)


def grid_of(code: AffineCode) -> Grid:
    """The grid of an integer audio format."""
    limits = np.iinfo(code.dtype)
    return Grid(code.scale, (limits.min - code.zero_point) * code.scale, (limits.max - code.zero_point) * code.scale)


def _fixed_point(fraction_bits: int, bits: int = _INT16_BITS) -> Grid:
    """Signed numbers of ``bits`` bits and a sign."""
    step = 2.0**-fraction_bits
    return Grid(step, -(2.0**bits) * step, (2.0**bits - 1.0) * step)


def channel_weights(weights: NetworkWeights) -> NetworkWeights:
    """What a ``w8`` file holds of ``weights``."""
    layers = tuple(RecurrentWeights(_per_channel(layer.kernel), _per_channel(layer.recurrent_kernel), layer.bias)
                   for layer in weights.layers)
    front, head = (tuple(replace(dense, kernel=_per_channel(dense.kernel)) for dense in layers)
                   for layers in (weights.front, weights.head))
    return replace(weights, layers=layers, head_kernel=_per_channel(weights.head_kernel), front=front, head=head)


def w8a16_weights(weights: NetworkWeights) -> NetworkWeights:
    """What integers make of the same file: scales of rows that read a hidden state are multipliers of 15 bits."""
    held = channel_weights(weights)
    layers = tuple(RecurrentWeights(_in_multipliers(layer.kernel) if index else layer.kernel,
                                    _in_multipliers(layer.recurrent_kernel), layer.bias)
                   for index, layer in enumerate(held.layers))
    return replace(held, layers=layers)


def _in_multipliers(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    scales = quantize_per_channel(np.ascontiguousarray(matrix.T)).scales.astype(np.float64)
    mantissas, exponents = np.frexp(scales)
    multiplied = np.ldexp(round_half_away(mantissas * 2.0**MULTIPLIER_BITS), exponents - MULTIPLIER_BITS)
    return (matrix * (multiplied / scales)).astype(np.float32)


def _per_channel(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return quantize_per_channel(np.ascontiguousarray(matrix.T)).dequantized().T


def gate_weights(weights: NetworkWeights, grids: SignalGrids) -> NetworkWeights:
    """What a ``w8a8`` or ``tflm16x8`` file on ``grids`` holds of ``weights``, biases included."""
    sources = [grids.dry.scale, *(code.scale for code in grids.hidden)]
    layers = []
    for layer, source in zip(weights.layers, sources[:-1], strict=True):
        gates = [_biased(kernel, bias, source) for kernel, _, bias in map(layer.gate, range(4))]
        recurrents = [quantize_per_matrix(layer.gate(index)[1].T).dequantized().T for index in range(4)]
        layers.append(RecurrentWeights(np.concatenate([kernel for kernel, _ in gates], axis=1),
                                       np.concatenate(recurrents, axis=1), np.concatenate([bias for _, bias in gates])))
    head_kernel, head_bias = _biased(weights.head_kernel, weights.head_bias, sources[-1])
    return replace(weights, layers=tuple(layers), head_kernel=head_kernel, head_bias=head_bias)


def _biased(kernel: NDArray[np.float32], bias: NDArray[np.float32],
            source_scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    held = quantize_with_bias(np.ascontiguousarray(kernel.T), bias, source_scale)
    step = source_scale * float(held.weights.scales[0])
    return held.weights.dequantized().T, (held.bias * step).astype(np.float32)
